"""Who calls: people with accounts, their tools, guests; and what is theirs.

callers          who sends the present request
sessions         what people log in with
passwords        what is kept of a password
owners           whose rows a caller may see
guests           session ids of those without an account
google_sign_in   accounts of people for whom Google vouches
email_addresses  one spelling for each
actors           who does something, as the evidence calls them
"""

"""What is for sale: nothing."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from api_service.openapi import describes

bp = Blueprint("v2_payments", __name__, url_prefix="/v2/payments")


class Product(BaseModel):
    """A number of credits for a price."""

    product_id: str
    credits: int
    name: str
    price_inr: float
    price_per_credit: float


class Products(BaseModel):
    """All that is for sale."""

    products: list[Product]


@bp.get("/products")
@describes(gives=Products)
def products() -> ResponseReturnValue:
    """List what is for sale, which profile pages ask for: nothing is."""
    return {"products": []}

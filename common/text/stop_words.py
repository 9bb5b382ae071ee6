"""Words that carry no subject matter, by what they may not do in a key phrase."""


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text written as one block."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    """
    a about above across actually after again against ago all almost alone along already
    also although always am among an and another any anybody anyone anything anyway are
    aren't around as at away back basically be because been before behind being below
    beneath beside besides between beyond both but by can can't cannot could couldn't
    did didn't do does doesn't doing don't done down due during each either else enough
    etc even eventually ever every everybody everyone everything exactly except few
    fewer finally first for from further had hadn't has hasn't have haven't having he
    he's hence her here hers herself him himself his how however i i'd i'll i'm i've if
    immediately in indeed inside instead into is isn't it it's its itself just kind
    later least less let let's like likely lot lots many maybe me merely might mine more
    moreover most mostly much must my myself namely near nearly neither never
    nevertheless next no nobody none nonetheless nor not nothing now nowhere of off
    often oh okay ok on once one ones one's only onto or other others otherwise ought
    our ours ourselves out outside over own per perhaps please quite rather really right
    same second secondly seldom several shall she she's should shouldn't similarly
    simply since so some somebody somehow someone something sometimes somewhat somewhere
    soon sort still such than that that's the their theirs them themselves then there
    there's thereby therefore these they they'd they'll they're they've third this those
    though three through throughout thus till to today together tomorrow tonight too
    toward towards twice two um uh uhm under unless unlike until up upon us usually
    versus very via was wasn't we we'd we'll we're we've well were weren't what what's
    whatever when whenever where whereas wherever whether which whichever while who
    who's whoever whole whom whose why will with within without won't would wouldn't yes
    yesterday yet you you'd you'll you're you've your yours yourself yourselves four
    five six seven eight nine ten hundred thousand million billion half zero
    """
)

VERBS = word_set(
    """
    accept achieve add agree aim allow appear apply argue arise ask assume avoid become
    became begin began begun believe belong bring brought build built buy bought call
    came care carry cause choose chose chosen come compare consider consist contain
    continue correspond create decide define depend derive describe determine develop
    differ discuss divide draw drew drop eat enter ensure exist expect explain express
    fail fall fell feel felt find found fit fix follow forget forgot gain gave get give
    given go goes gone got gotten grow grew guess handle happen hear heard help hold
    held hope identify imagine imply include increase indicate introduce involve keep
    kept knew know known lead learn leave led left lie look lose lost made maintain make
    matter mean meant meet met mention miss move need note notice observe obtain occur
    offer open pay perform pick prefer prevent produce prove provide put raise ran reach
    read realize receive recall reduce refer reject relate remain remember remove repeat
    replace represent require return rise run said saw say see seek seem seen select
    sell send sent separate serve show showed shown sit solve sold speak spend spent
    start stand stay stop store stood suggest suppose take taken talk taught teach tell
    tend thank think thought throw thrown told took touch tried try turn understand
    understood use wait walk want watch wear went win wonder worry write written wrote
    yield emphasize stress
    """
)

WEAK_NOUNS = word_set(
    """
    access amount answer approach area aspect attention balance beginning behaviour bit
    board body book break bunch case category chance change chapter choice class concept
    condition context couple course day deal degree detail difference difficulty
    direction discussion effect effort end event everyday example exam exercise
    experience fact factor feature figure form friend front group guy hand head hour
    homework idea image importance instance issue item job kid language law lecture
    lesson level life line list look loss lunch man material maximum meaning measure
    member method middle minimum minute moment money month morning name nature need note
    notion number object occasion order outcome pair paper part people percent period
    person perspective picture piece place plan point position possibility problem proof
    property purpose quantity question range reality reason relation respect rest result
    role room rule scale section semester sense sentence series set shape share side
    sign situation size slide something space spot stage start state statement step
    story student stuff style subject success sum system table talk task teacher term
    test text thing time times top topic total trouble trick truth try turn type unit
    use user value variety version video view week while woman word work world year
    """
)

WEAK_ADJECTIVES = word_set(
    """
    able additional available average bad basic beautiful best better big bigger biggest
    brief busy careful certain cheap clear clever close common complete complex correct
    dangerous different difficult easy enormous entire equal exact extra fair familiar
    famous fast faster final fine free full fun general good great greater greatest
    happy hard harder heavy helpful high higher highest huge important impossible
    interesting key large larger largest last late left little long longer low lower
    lowest main major mere minor modern necessary new newer nice normal obvious old
    older original particular perfect poor popular possible precise previous proper
    quick real recent relevant rich rough serious short shorter significant similar
    simple simpler single slight slow slower small smaller smallest special specific
    standard strange strong successful sure surprising tiny traditional true typical
    unique useful usual various vast warm weak wide wonderful worse worst wrong young
    past future modest mature following
    """
)

LECTURE_TALK = word_set(
    """
    lecture today class chapter slide slides exam homework semester question questions
    morning afternoon everyone recording course week
    """
)

DETERMINERS = word_set(
    """
    a an the this these those each every its their our his her my your any no some
    """
)
SUBJECTS = frozenset({"i", "we", "you", "they", "he", "she", "it", "who"})
AUXILIARIES = word_set(
    """
    to will can could would must should may might cannot can't don't doesn't didn't do
    does did not never let's shall
    """
)

# Function words of some other languages and, for Chinese, function characters.
OTHER_FUNCTION_WORDS = word_set(
    """
    aber alle als also am an auch auf aus bei bis da damit dann das dass dem den der des
    die dies diese dieser doch durch ein eine einem einen einer eines er es für hat
    haben ich im in ist ja kann man mit nach nicht noch nur oder sein sich sie sind so
    und um uns von vor war was wenn werden wie wir wird zu zum zur über alors au aussi
    avec ce cela ces cette comme dans de donc du elle en est et il ils je la le les leur
    mais ne nous on ou où par pas plus pour qu que qui sa se ses si son sont sur un une
    vous être al como con cuando del desde donde el ella ellos entre esta este esto está
    las lo los más muy no nos o para pero por porque puede ser sin sobre su sus también
    tiene una y ya a aby ale albo bardzo bez bo być był była było były co czy dla do gdy
    gdzie go i ile jak jako jego jej jest jeśli już kiedy która które którego której
    którą których którym który lub ma mają może można na nad nie niego od oraz po pod
    ponieważ poza przed przez przy się są także tak tam te tego tej ten to tu tych tylko
    tym u w we więc wszystko z za ze że żeby che chi cui dal dei della delle di e gli ha
    nel nella non per più quando questa questo sono uno è aan bij dan dat deze dit door
    een het hij ik is maar met naar niet of om ook op tot uit van voor wat wij worden
    wordt zijn ao aos as até com dos ela ele em essa esse isso mas muito nas não os pela
    pelo sem seu sua são também tem uma é
    في من على إلى عن أن هذا هذه التي الذي ما لا هو
    هي كان كانت مع بين كل أو ثم قد لم
    لن إن إذا بعد قبل عند ذلك تلك نحن هنا هناك حتى 的 了 是 在 和 也 就 都 而 及 与
    着 或 我 们 你 他 她 它 这 那 有 不 个 一 会 可 以 为 上 下 把 被 从 到 对 要 能
    很 所 之 其 等 时 の は が を に へ と で も た て し い る な れ ら り
    """
)

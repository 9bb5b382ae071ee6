"""A study pack as a real lecture yields it, in any of the languages we print."""

from common.study import (
    Card,
    Citation,
    EngineLabel,
    ExamQuestionsDocument,
    FlashcardsDocument,
    KeyTermsDocument,
    OutlineDocument,
    OutlineNode,
    Question,
    Section,
    StudyPack,
    SummaryBody,
    SummaryDocument,
    Term,
)
from common.transcript import Segment

POLISH = "Zażółć gęślą jaźń: mitochondria wytwarzają większość energii komórki."
ARABIC = "تنتج الميتوكوندريا معظم الطاقة التي تحتاجها الخلية."
CHINESE = "线粒体产生细胞所需的大部分能量,因此被称为细胞的发电厂。"
JAPANESE = "ミトコンドリアは細胞のエネルギーの大部分を作ります。"
GREEK = "Τα μιτοχόνδρια παράγουν ενέργεια."  # noqa: RUF001 - it is Greek
RUSSIAN = "Митохондрии вырабатывают энергию."
GLYCOLYSIS = (
    "Glycolysis splits one glucose into two pyruvate and yields a net two ATP; it "
    "happens in the cytosol and needs no oxygen at all."
)
MEDIA_URL = "https://media.example/lectures/7?sig=a&b=c"


def cite(ms, quote="mitochondria make most of the energy"):
    return [Citation(start_ms=ms, end_ms=ms + 4000, quote=quote)]


def document(model, **fields):
    common = {
        "id": "00000000-0000-4000-8000-000000000001",
        "courseId": "bio",
        "lectureId": "bio-7",
        "presetId": "exam-mode",
        "generatedAt": "2026-03-04T10:20:30Z",
        "version": "0.2",
        "engine": EngineLabel(provider="extractive", model="textrank-1"),
    }
    return model(**common | fields)


def summary(sections=None, overview=None):
    sections = sections or [
        Section(
            title="How a cell makes energy",
            bullets=[
                GLYCOLYSIS,
                POLISH,
                "Efficiency: 30 to 32 ATP per glucose, η ≈ 40 % ≥ most engines → heat.",
            ],
            citations=cite(754_000),
        ),
        Section(
            title="In other languages",
            bullets=[ARABIC, CHINESE, JAPANESE, GREEK, RUSSIAN, "कोशिका की ऊर्जा"],
            citations=[*cite(61_000), *cite(3_723_000)],
        ),
    ]
    overview = overview or (
        "The lecture follows one molecule of glucose through the cell, from the first "
        "split in the cytosol to the proton gradient across the inner membrane, and "
        "asks at each step where the energy goes and how we know."
    )
    return document(
        SummaryDocument,
        **SummaryBody(overview=overview, sections=sections).model_dump(),
    )


def outline(nodes=None):
    leaf = OutlineNode(title="Chemiosmosis", points=["ATP synthase turns"])
    chain = OutlineNode(
        title="Electron transport chain",
        points=["Four complexes", "Oxygen accepts the electrons"],
        children=[leaf],
        citations=cite(1_500_000),
    )
    nodes = nodes or [
        OutlineNode(title="Glycolysis", points=["Net 2 ATP"], citations=cite(300_000)),
        OutlineNode(title="Respiration", children=[chain], citations=cite(900_000)),
        OutlineNode(title=CHINESE, points=[ARABIC]),
    ]
    return document(OutlineDocument, outline=nodes)


def key_terms(terms=None):
    terms = terms or [
        Term(
            term="ATP synthase",
            definition="A rotary enzyme that lets protons flow back and uses the force "
            "to join ADP and phosphate.",
            example="About 100 turns a second in a resting cell.",
            citations=cite(1_600_000),
        ),
        Term(term="细胞", definition=CHINESE, citations=cite(100_000)),
        Term(term="الخلية", definition=ARABIC, citations=cite(101_000)),
        Term(term="komórka", definition=POLISH),
    ]
    return document(KeyTermsDocument, terms=terms)


def flashcards(cards=None):
    cards = cards or [
        Card(
            front="_____ make most of the energy that a cell needs.",
            back="Mitochondria",
            difficulty="easy",
            tags=["cell biology", "energy"],
            citations=cite(754_000),
        ),
        Card(
            front="Why is oxygen needed?",
            back="It takes up the electrons at the end of the chain; without it the "
            "chain backs up and the gradient collapses within seconds.",
            difficulty="medium",
            citations=cite(1_550_000),
        ),
        Card(front="线粒体的作用是什么?", back=CHINESE, difficulty="hard"),
        Card(front="ما وظيفة الميتوكوندريا؟", back=ARABIC, citations=cite(62_000)),
    ]
    return document(FlashcardsDocument, cards=cards)


def exam_questions(questions=None):
    questions = questions or [
        Question(
            prompt="Where does glycolysis take place?",
            type="multiple-choice",
            choices=["Matrix", "Cytosol", "Nucleus", "Inner membrane"],
            correctChoiceIndex=1,
            answer="Cytosol",
            explanation="It needs no organelle and is older than mitochondria.",
            citations=cite(310_000),
        ),
        Question(
            prompt="The proton gradient stores energy.",
            type="true-false",
            choices=["True", "False"],
            correctChoiceIndex=0,
            answer="True",
        ),
        Question(
            prompt="Name the final electron acceptor.",
            type="short-answer",
            answer="Oxygen",
            citations=cite(1_560_000),
        ),
        Question(
            prompt="Discuss why the inner membrane is folded.",
            type="essay",
            answer="Area for transport chains; more ATP per volume.",
        ),
    ]
    return document(ExamQuestionsDocument, questions=questions)


def segments():
    return (
        Segment(0, 4000, "Welcome back, today we talk about energy."),
        Segment(754_000, 758_000, "Mitochondria make most of the energy."),
    )


def study_pack(**changes):
    fields = {
        "lecture_id": "bio-7",
        "title": "Energy in the cell",
        "course_id": "bio",
        "course_title": "Biology 101",
        "summary": summary(),
        "outline": outline(),
        "key_terms": key_terms(),
        "flashcards": flashcards(),
        "exam_questions": exam_questions(),
        "segments": segments(),
        "total_ms": 3_900_000,
        "heard_ms": 3_600_000,
        "media_url": MEDIA_URL,
    }
    return StudyPack(**fields | changes)

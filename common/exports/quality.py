"""The gate before an export: nothing half made leaves the house."""

from collections.abc import Mapping
from typing import Any

from common.errors import Conflict
from common.study import ARTIFACT_TYPES

_CODE = "export_quality"


def check_exportable(
    documents: Mapping[str, Mapping[str, Any] | None], min_summary_sections: int
) -> None:
    """Let pass a lecture whose five artifacts exist and whose summary says something.

    Args:
        documents: the stored JSON documents by artifact type; None counts as missing.
        min_summary_sections: 0 or more.

    Raises:
        Conflict: ``export_quality``; generate again, then export.
    """
    if missing := sorted(kind for kind in ARTIFACT_TYPES if not documents.get(kind)):
        raise Conflict(
            "Cannot export lecture before all required artifacts are generated: "
            + ", ".join(missing),
            code=_CODE,
        )
    summary = documents["summary"] or {}
    if len(summary.get("sections") or ()) < min_summary_sections:
        raise Conflict(
            "Summary quality threshold not met: "
            f"requires >= {min_summary_sections} sections.",
            code=_CODE,
        )
    if not str(summary.get("overview") or "").strip():
        raise Conflict(
            "Summary quality threshold not met: overview is empty.", code=_CODE
        )

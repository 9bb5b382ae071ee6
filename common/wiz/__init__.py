"""Wiz answers questions about recordings, from what was said and nothing else."""

from common.wiz.answering import Answering, begin
from common.wiz.context import Subject, sources

__all__ = ["Answering", "Subject", "begin", "sources"]

"""Speech to text by Google Cloud, Speech-to-Text v2.

Short sound is sent in the call. Long sound is read by Google from Cloud Storage: an
operation is started, and asked for later by its name, by whatever process.

Source: the messages of google-cloud-speech 2.41.0; limits of its quota page, read
2026-07-10.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from google.api_core.exceptions import NotFound
from google.cloud import speech_v2 as api
from google.protobuf.message import DecodeError

from common.errors import (
    BadRequest,
    ProviderError,
    ProviderUnavailable,
    UnreadableMedia,
)
from common.media.flac import length_ms as length_of
from common.providers import catalog
from common.providers.speech import Heard, Limits, Pending
from common.providers.speech.google_client import meaning, speech_client, translated
from common.providers.speech.google_words import language as language_of
from common.providers.speech.google_words import milliseconds, segments
from common.settings import Settings
from common.transcript import Engine
from common.usage import Usage

# One call takes a minute or 10 MB; sound that is a bit longer than said must pass.
_LIMITS = Limits(max_chunk_ms=55_000, max_bytes=10_000_000)

_RECOGNIZE_SECONDS = 120  # twice the length of the sound; more is no work but a hang
_START_SECONDS = 30  # only the request is taken in
_POLL_SECONDS = 60  # the answer for eight hours is some megabytes


@dataclass(frozen=True, slots=True)
class GoogleSpeech:
    """Recognise speech with one model in one region of one project.

    ``recognizer`` is a resource name; ``_`` at its end means that each request brings
    its own configuration.
    """

    client: api.SpeechClient
    recognizer: str
    model: catalog.Model

    @classmethod
    def from_settings(cls, settings: Settings, model: str | None) -> Self:
        """Return the recogniser; ``model`` None means the configured one.

        Raises:
            BadRequest: no project is set.
            ProviderAuthError: this machine has no credentials.
        """
        project, region = settings.google_cloud_project, settings.speech_location
        if project is None:
            raise BadRequest(
                "Provider 'google' is not configured: set GOOGLE_CLOUD_PROJECT.",
                code="provider_not_configured",
            )
        # Clients that name OpenAI's model by default mean no model of Google's.
        name = None if model and catalog.is_speech_model(model) else model
        return cls(
            speech_client(settings),
            f"projects/{project}/locations/{region}/recognizers/_",
            catalog.google_speech_model(name or settings.gcp_stt_model),
        )

    @property
    def engine(self) -> Engine:  # noqa: D102
        return Engine("google", self.model.name)

    @property
    def limits(self) -> Limits:  # noqa: D102
        return _LIMITS

    @property
    def batch(self) -> "GoogleBatch":  # noqa: D102
        return GoogleBatch(self)

    def recognize(  # noqa: D102
        self,
        flac: bytes,
        *,
        language: str,
        prompt: str | None = None,  # noqa: ARG002 - it takes no hints of this kind
    ) -> Heard:
        length_ms = length_of(flac)
        if length_ms is None:
            raise UnreadableMedia("The piece is not a FLAC file of known length.")
        request = api.RecognizeRequest(
            recognizer=self.recognizer, config=self.config(language), content=flac
        )
        with translated():
            answer = self.client.recognize(
                request, retry=None, timeout=_RECOGNIZE_SECONDS
            )
        plain = api.RecognizeResponse.pb(answer)
        return self.heard(plain.results, plain.metadata, length_ms, language)

    def config(self, language: str) -> api.RecognitionConfig:
        """Return what is wished of a request."""
        return api.RecognitionConfig(
            auto_decoding_config=api.AutoDetectDecodingConfig(),
            model=self.model.name,
            language_codes=[language or "auto"],
            features=api.RecognitionFeatures(
                enable_word_time_offsets=True, enable_automatic_punctuation=True
            ),
        )

    def heard(
        self,
        results: Sequence[Any],
        metadata: Any,  # noqa: ANN401 - protobuf
        length_ms: int,
        language: str,
    ) -> Heard:
        """Return an answer in our form; both kinds of request have the same."""
        billed_ms = milliseconds(metadata.total_billed_duration) or length_ms
        return Heard(
            segments=segments(results, length_ms),
            language=language_of(results) or language,
            usage=Usage(
                "google",
                self.model.name,
                audio_ms=length_ms,
                cost_usd_micros=self.model.cost_usd_micros(seconds=billed_ms / 1000),
            ),
        )


@dataclass(frozen=True, slots=True)
class GoogleBatch:
    """Recognise a whole recording where it lies in Cloud Storage."""

    speech: GoogleSpeech

    @property
    def max_ms(self) -> int:  # noqa: D102
        return self.speech.model.max_seconds * 1000

    def takes(self, uri: str) -> bool:  # noqa: D102
        return uri.startswith("gs://")

    def start(self, uri: str, *, language: str) -> str:  # noqa: D102
        request = api.BatchRecognizeRequest(
            recognizer=self.speech.recognizer,
            config=self.speech.config(language),
            files=[api.BatchRecognizeFileMetadata(uri=uri)],
            recognition_output_config=api.RecognitionOutputConfig(
                inline_response_config=api.InlineOutputConfig()
            ),
        )
        with translated():
            started = self.speech.client.batch_recognize(
                request, retry=None, timeout=_START_SECONDS
            )
        return str(started.operation.name)

    def poll(  # noqa: D102
        self, operation: str, *, length_ms: int, language: str
    ) -> Heard | Pending | ProviderError:
        found = self._operation(operation)
        if found is None:
            return ProviderUnavailable("google: the operation is not known any more.")
        if not found.done:
            return Pending(_percent(found.metadata.value))
        if found.error.code:
            return meaning(found.error.code, found.error.message)
        return self._heard(found.response.value, length_ms, language)

    def cancel(self, operation: str) -> None:  # noqa: D102
        with translated(), suppress(NotFound):
            self.speech.client.cancel_operation(
                {"name": operation}, retry=None, timeout=_START_SECONDS
            )

    def _operation(self, name: str) -> Any | None:  # noqa: ANN401 - protobuf
        with translated(), suppress(NotFound):
            return self.speech.client.get_operation(
                {"name": name}, retry=None, timeout=_POLL_SECONDS
            )
        return None

    def _heard(
        self, response: bytes, length_ms: int, language: str
    ) -> Heard | ProviderError:
        try:
            answer = api.BatchRecognizeResponse.deserialize(response)
        except DecodeError:
            return _strange()
        files = list(api.BatchRecognizeResponse.pb(answer).results.values())
        if len(files) != 1:
            return _strange()
        [file] = files
        if file.error.code:
            return meaning(file.error.code, file.error.message)
        results = file.inline_result.transcript.results
        return self.speech.heard(results, file.metadata, length_ms, language)


def _strange() -> ProviderError:
    return ProviderError(
        "google: the answer has another form than documented.", code="provider_schema"
    )


def _percent(metadata: bytes) -> int:
    """Return how much is done, 0 to 100."""
    try:
        told = api.OperationMetadata.deserialize(metadata)
    except DecodeError:
        return 0
    return int(min(max(told.progress_percent, 0), 100))

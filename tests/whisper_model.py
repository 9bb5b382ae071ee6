"""A tiny Whisper, made on the spot: the real format, and it always says the same.

Its decoder looks at nothing but the place in the answer, so that at each place one
token is certain: a start, letters, an end. Whatever the sound, it hears ``WORD``.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WORD, SECONDS, DETECTED = "Hi", 3.0, "de"
# A model of many languages has one token without text: ctranslate2 knows it by that.
_OF_MANY = ("",)
_LANGUAGES = 99
_STEP, _TIMESTAMPS = 0.02, 1501
_WIDTH, _MELS = 16, 80
_AUDIO_PLACES, _TEXT_PLACES = 1500, 448
_CERTAIN = 10.0  # times four after the layer's norm: beyond all doubt in a softmax
_FEATURES = {
    "feature_size": _MELS,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
}


def tiny_whisper(folder: Path, *, multilingual: bool = True) -> Path:
    """Write a model, some 200 kB, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _tokens(multilingual=multilingual)
    _tokenizer(tokens).save(str(folder / "tokenizer.json"))
    spec = WhisperSpec(1, 2, 1, 2)
    _fill(spec, len(tokens))
    _say(spec.decoder, tokens, asked_with=3 if multilingual else 1)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    first = tokens.index("<|startoftranscript|>") + 1
    spec.config.lang_ids = list(range(first, first + _LANGUAGES))
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps(_FEATURES))
    return folder


def _tokens(*, multilingual: bool) -> list[str]:
    # All bytes, or faster-whisper cannot look up what is no speech.
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    special += [f"<|{code}|>" for code in _LANGUAGE_CODES[:_LANGUAGES]]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    special += ["<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{n * _STEP:.2f}|>" for n in range(_TIMESTAMPS)]
    return [*letters, *(_OF_MANY if multilingual else ()), *special, *times]


def _tokenizer(tokens: list[str]) -> Tokenizer:
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    first = tokens.index("<|endoftext|>")
    made.add_special_tokens(tokens[first : len(tokens) - _TIMESTAMPS])
    return made


def _say(decoder: Any, tokens: list[str], *, asked_with: int) -> None:
    """Make one token certain at each place after the first ones, which are given."""
    said = ["<|0.00|>", *WORD, f"<|{SECONDS:.2f}|>", "<|endoftext|>"]
    places = dict(enumerate(said, start=asked_with - 1))
    if asked_with > 1:
        places[0] = f"<|{DETECTED}|>"  # asked for alone, when the language is not known
    for direction, (place, token) in enumerate(places.items()):
        decoder.position_encodings.encodings[place, direction] = 1.0
        decoder.projection.weight[tokens.index(token), direction] = _CERTAIN


def _fill(spec: Any, size: int) -> None:
    """Give every layer its form, with zeros: what comes in passes by."""
    encoder, decoder = spec.encoder, spec.decoder
    for conv, channels in ((encoder.conv1, _MELS), (encoder.conv2, _WIDTH)):
        conv.weight, conv.bias = _zeros(_WIDTH, channels, 3), _zeros(_WIDTH)
    encoder.position_encodings.encodings = _zeros(_AUDIO_PLACES, _WIDTH)
    decoder.position_encodings.encodings = _zeros(_TEXT_PLACES, _WIDTH)
    decoder.embeddings.weight = _zeros(size, _WIDTH)
    decoder.projection.weight = _zeros(size, _WIDTH)
    for stack in (encoder, decoder):
        _norm(stack.layer_norm)
        for layer in stack.layer:
            _attention(layer.self_attention, 3, 1)
            _norm(layer.ffn.layer_norm)
            _linear(layer.ffn.linear_0, _WIDTH * 4, _WIDTH)
            _linear(layer.ffn.linear_1, _WIDTH, _WIDTH * 4)
    for layer in decoder.layer:
        _attention(layer.attention, 1, 2, 1)


def _attention(layer: Any, *parts: int) -> None:
    _norm(layer.layer_norm)
    for one, times in zip(layer.linear, parts, strict=True):
        _linear(one, _WIDTH * times, _WIDTH)


def _linear(layer: Any, out: int, into: int) -> None:
    layer.weight, layer.bias = _zeros(out, into), _zeros(out)


def _norm(layer: Any) -> None:
    layer.gamma, layer.beta = np.ones(_WIDTH, np.float32), _zeros(_WIDTH)


def _zeros(*shape: int) -> Any:
    return np.zeros(shape, np.float32)

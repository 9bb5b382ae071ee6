"""The containers and codecs that may be opened; all others are refused unread.

libavformat picks a demuxer by content, so without these lists an upload named
``.mp4`` can be a playlist that opens other files, or an SDP that waits for the
network. Decoders are listed for the same reason: pictures are never decoded here,
so a cover image that expands to gigabytes stays compressed.
"""

# libavformat's demuxer name -> the name we show. MPEG-TS, MPEG-PS and FLV are left
# out: their streams appear while reading, and PyAV sizes its tables before that.
CONTAINERS = {
    "aac": "aac",
    "aiff": "aiff",
    "amr": "amr",
    "asf": "asf",
    "avi": "avi",
    "caf": "caf",
    "flac": "flac",
    "matroska,webm": "matroska",
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "mp3": "mp3",
    "ogg": "ogg",
    "w64": "w64",
    "wav": "wav",
}

# Every packet carries a timestamp of its own, so that gaps can be seen. The others
# derive it from bytes or samples already read, which tells nothing new.
TIMESTAMPED = frozenset({"asf", "matroska", "mp4"})

# The length stands in a header that the writer filled in at the end; in the others
# it is a guess from the bit rate (2.2 times too long for an MP3 without Xing header).
DECLARES_LENGTH = frozenset({"avi", "flac", "matroska", "mp4", "wav"})

DECODERS = frozenset(
    {
        *("aac", "aac_fixed", "aac_latm", "ac3", "ac3_fixed", "eac3", "alac"),
        *("adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_swf", "adpcm_yamaha"),
        *("amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"),
        *("dca", "flac", "g722", "g726", "gsm", "gsm_ms", "nellymoser", "qdm2"),
        *("mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float"),
        *("opus", "libopus", "speex", "libspeex", "vorbis", "libvorbis"),
        *("pcm_alaw", "pcm_mulaw", "pcm_s8", "pcm_u8"),
        *("pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_s24le"),
        *("pcm_s32be", "pcm_s32le", "pcm_f32be", "pcm_f32le"),
        *("pcm_f64be", "pcm_f64le"),
        *("wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice"),
    }
)

# Sound that a lecture can have. Above: not a recording of speech, but an attempt to
# make a small file expensive. 8 kHz telephone codecs may be stored at half rate.
MAX_CHANNELS = 8
MIN_SAMPLE_RATE = 4_000
MAX_SAMPLE_RATE = 384_000
MAX_STREAMS = 64  # a real file has a handful; each costs memory before the first byte

# Of films. What is not listed is not decoded, and its file not taken as a film.
PICTURES = frozenset(
    {
        *("av1", "libdav1d", "dnxhd", "dvvideo", "ffv1", "h263", "h264", "hevc"),
        *("mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "msmpeg4v2"),
        *("prores", "qtrle", "rawvideo", "svq1", "svq3", "theora", "vc1"),
        *("vp8", "vp9", "libvpx", "libvpx-vp9", "wmv1", "wmv2", "wmv3"),
    }
)
MAX_PIXELS = 4096 * 2304  # 4K; a decoder of larger ones needs a gigabyte

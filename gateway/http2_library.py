"""The `h2` library's state machine with what it lets pass: frames that say they are huge, header tables as large as the peer likes,
and goodbyes after which something still comes. And without what half of its time goes into: its own HPACK, the text of every frame
for a log that nobody reads, and a validation of fields whose rules `http2_message` holds them to anyway."""

from collections.abc import Iterable

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import FrameTooLargeError, StreamClosedError, StreamIDTooLowError
from h2.settings import SettingCodes, Settings
from h2.utilities import HeaderValidationFlags, validate_headers
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, RstStreamFrame

from gateway.fields import Field
from gateway.http2_fields import LeanDecoder, LeanEncoder

HEADER_LIST_LIMIT = 64 << 10
HEADER_TABLE = 4096
"""What is kept of the fields that were sent, in bytes."""
STREAMS = 100
FRAME = 16 << 10
"""Bytes of a frame that every peer takes."""
WINDOW = 64 << 10
"""Bytes of one stream that may be under way without having been passed on."""
_BITS = {"END_STREAM": 0x1, "END_HEADERS": 0x4}
_KINDS: dict[type[Frame], bytes] = {DataFrame: b"\x00", HeadersFrame: b"\x01"}
"""Of the frames that carry nearly everything: their type (RFC 9113, section 6)."""


class Connection(H2Connection):
    def __init__(self, *, client_side: bool) -> None:
        super().__init__(
            H2Configuration(
                client_side=client_side, header_encoding=None, validate_inbound_headers=False, normalize_inbound_headers=False,
                validate_outbound_headers=False, normalize_outbound_headers=False,
            )
        )  # fmt: skip
        values = {
            SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: HEADER_LIST_LIMIT,
        }
        if client_side:
            values[SettingCodes.ENABLE_PUSH] = 0
        self.local_settings = Settings(client=client_side, initial_values=values)
        self.encoder = LeanEncoder()
        self.decoder = LeanDecoder(HEADER_LIST_LIMIT)

    def receive_data(self, data: bytes) -> list[events.Event]:
        """Raises H2Error, and on some nonsense ValueError or IndexError."""
        found = super().receive_data(data)
        begun = self.incoming_buffer._data
        if len(begun) >= 3 and int.from_bytes(begun[:3]) > self.max_inbound_frame_size:  # else it would be gathered first
            raise FrameTooLargeError("a frame is larger than agreed")
        if self.encoder.header_table_size > HEADER_TABLE:  # the peer may allow 4 GiB
            self.encoder.header_table_size = HEADER_TABLE
        return found

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[events.Event]]:
        """The library takes no frame after a goodbye, although what is under way may still end (RFC 9113, section 6.8)."""
        if frame.error_code:
            return super()._receive_goaway_frame(frame)
        event = events.ConnectionTerminated()
        event.error_code, event.last_stream_id = ErrorCodes.NO_ERROR, frame.last_stream_id
        return [], [event]

    def _receive_frame(self, frame: Frame) -> list[events.Event]:
        """As the library's, which writes down every frame first."""
        try:
            frames, found = self._frame_dispatch_table[type(frame)](frame)
        except StreamClosedError as error:
            if not self._stream_is_closed_by_reset(error.stream_id):
                raise
            self._refuse_late(error.stream_id, error.error_code)
            return list(error._events)
        except StreamIDTooLowError as error:
            if self._stream_is_closed_by_reset(error.stream_id):
                self._refuse_late(error.stream_id, ErrorCodes.STREAM_CLOSED)
                return []
            if self._stream_is_closed_by_end(error.stream_id):
                raise StreamClosedError(error.stream_id) from error
            raise
        self._prepare_for_sending(frames)
        return list(found)

    def _refuse_late(self, number: int, code: ErrorCodes) -> None:
        """The peer still speaks of a stream that was reset."""
        reset = RstStreamFrame(number)
        reset.error_code = code
        self._prepare_for_sending([reset])

    def _prepare_for_sending(self, frames: list[Frame]) -> None:
        for frame in frames:
            kind = _KINDS.get(type(frame))
            bits = 0x100 if kind is None else sum([_BITS.get(flag, 0x100) for flag in frame.flags])
            if kind is None or bits > 0xFF:
                self._data_to_send += frame.serialize()
            else:
                body: bytes = frame.data  # type: ignore[attr-defined]
                frame.body_len = size = len(body)
                self._data_to_send += b"%b%b%b%b" % (size.to_bytes(3), kind, bits.to_bytes(), frame.stream_id.to_bytes(4)) + body
            if (frame.body_len or 0) > self.max_outbound_frame_size:
                raise FrameTooLargeError("a frame is larger than the peer takes")


def check_lawful(fields: Iterable[Field], *, response: bool = False, trailers: bool = False) -> None:
    """What the library would refuse in a HEADERS frame, the connection with it. Raises ProtocolError."""
    flags = HeaderValidationFlags(is_client=response, is_trailer=trailers, is_response_header=response, is_push_promise=False)
    for _ in validate_headers(fields, flags):
        pass

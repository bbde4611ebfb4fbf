"""The `h2` library's state machine with what it lets pass: frames that say they are huge, header tables as large as the peer likes,
and goodbyes after which something still comes."""

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import FrameTooLargeError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

HEADER_LIST_LIMIT = 64 << 10
HEADER_TABLE = 4096
"""What is kept of the fields that were sent, in bytes."""
STREAMS = 100
WINDOW = 64 << 10
"""Bytes of one stream that may be under way without having been passed on."""


class Connection(H2Connection):
    def __init__(self, *, client_side: bool) -> None:
        super().__init__(
            H2Configuration(
                client_side=client_side, header_encoding=None, validate_inbound_headers=True, normalize_inbound_headers=False,
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

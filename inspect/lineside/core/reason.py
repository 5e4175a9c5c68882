"""Why a part was not inspected, or failed: codes that a PLC can show."""

import enum

__all__ = ["Reason"]


class Reason(enum.IntEnum):
    """Reason codes. Numbers are on the wire and in PLC programs: never reuse or renumber one.

    1 to 15 follow the neutral PLC map; 16 and up are our own.
    """

    NONE = 0
    CAMERA_LOST = 1
    FRAME_DAMAGED = 2
    NO_FRAME = 3
    OVERTRIGGER = 4
    QUEUE_FULL = 5
    DUE_TIME = 6
    MODEL_ERROR = 7
    DEVICE_LOST = 8
    NOT_READY = 9
    OPTICS = 10
    SELF_TEST_FAILED = 11
    PLC_LOST = 12
    ARCHIVE_FAILED = 13
    OPERATOR_OFFLINE = 14
    AMBIGUOUS = 15
    STATION_RESTARTED = 16
    STATION_STOPPING = 17
    FRAME_LOST = 18
    """The camera's own frame counter jumped: a frame was exposed and never arrived."""
    DEFECTS = 32
    """The part FAILED because of the defects that the verdict lists."""

    @property
    def sentence(self) -> str:
        """The reason in words for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.NONE: "no reason given",
    Reason.CAMERA_LOST: "the camera is gone or no longer answers",
    Reason.FRAME_DAMAGED: "the frame arrived damaged or not as declared",
    Reason.NO_FRAME: "no frame came after the trigger",
    Reason.OVERTRIGGER: "the trigger came while the camera was still busy",
    Reason.QUEUE_FULL: "more parts are in flight than the station holds",
    Reason.DUE_TIME: "no answer before the due time",
    Reason.MODEL_ERROR: "the model could not answer",
    Reason.DEVICE_LOST: "the inspector died, hung or lost its device",
    Reason.NOT_READY: "the station was not ready",
    Reason.OPTICS: "picture quality outside its limits",
    Reason.SELF_TEST_FAILED: "the self-test failed",
    Reason.PLC_LOST: "the line controller went silent",
    Reason.ARCHIVE_FAILED: "the recipe demands an archived image and it could not be written",
    Reason.OPERATOR_OFFLINE: "an operator has paused the station",
    Reason.AMBIGUOUS: "two parts or none in view",
    Reason.STATION_RESTARTED: "the station restarted while the part was in flight",
    Reason.STATION_STOPPING: "the station was stopped while the part was in flight",
    Reason.FRAME_LOST: "the camera exposed a frame that never arrived",
    Reason.DEFECTS: "defects beyond the limits",
}

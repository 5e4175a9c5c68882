from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_PASS: _ClassVar[Outcome]
    OUTCOME_FAIL: _ClassVar[Outcome]
    OUTCOME_NOT_INSPECTED: _ClassVar[Outcome]

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_CAMERA_LOST: _ClassVar[Reason]
    REASON_FRAME_DAMAGED: _ClassVar[Reason]
    REASON_NO_FRAME: _ClassVar[Reason]
    REASON_OVERTRIGGER: _ClassVar[Reason]
    REASON_QUEUE_FULL: _ClassVar[Reason]
    REASON_DUE_TIME: _ClassVar[Reason]
    REASON_MODEL_ERROR: _ClassVar[Reason]
    REASON_DEVICE_LOST: _ClassVar[Reason]
    REASON_NOT_READY: _ClassVar[Reason]
    REASON_OPTICS: _ClassVar[Reason]
    REASON_SELF_TEST_FAILED: _ClassVar[Reason]
    REASON_PLC_LOST: _ClassVar[Reason]
    REASON_ARCHIVE_FAILED: _ClassVar[Reason]
    REASON_OPERATOR_OFFLINE: _ClassVar[Reason]
    REASON_AMBIGUOUS: _ClassVar[Reason]
    REASON_STATION_RESTARTED: _ClassVar[Reason]
    REASON_STATION_STOPPING: _ClassVar[Reason]
    REASON_FRAME_LOST: _ClassVar[Reason]
    REASON_DEFECTS: _ClassVar[Reason]

class PixelFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PIXEL_FORMAT_UNSPECIFIED: _ClassVar[PixelFormat]
    PIXEL_FORMAT_MONO8: _ClassVar[PixelFormat]
    PIXEL_FORMAT_MONO10: _ClassVar[PixelFormat]
    PIXEL_FORMAT_MONO12: _ClassVar[PixelFormat]
    PIXEL_FORMAT_MONO16: _ClassVar[PixelFormat]
    PIXEL_FORMAT_RGB8: _ClassVar[PixelFormat]
    PIXEL_FORMAT_BGR8: _ClassVar[PixelFormat]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_PASS: Outcome
OUTCOME_FAIL: Outcome
OUTCOME_NOT_INSPECTED: Outcome
REASON_UNSPECIFIED: Reason
REASON_CAMERA_LOST: Reason
REASON_FRAME_DAMAGED: Reason
REASON_NO_FRAME: Reason
REASON_OVERTRIGGER: Reason
REASON_QUEUE_FULL: Reason
REASON_DUE_TIME: Reason
REASON_MODEL_ERROR: Reason
REASON_DEVICE_LOST: Reason
REASON_NOT_READY: Reason
REASON_OPTICS: Reason
REASON_SELF_TEST_FAILED: Reason
REASON_PLC_LOST: Reason
REASON_ARCHIVE_FAILED: Reason
REASON_OPERATOR_OFFLINE: Reason
REASON_AMBIGUOUS: Reason
REASON_STATION_RESTARTED: Reason
REASON_STATION_STOPPING: Reason
REASON_FRAME_LOST: Reason
REASON_DEFECTS: Reason
PIXEL_FORMAT_UNSPECIFIED: PixelFormat
PIXEL_FORMAT_MONO8: PixelFormat
PIXEL_FORMAT_MONO10: PixelFormat
PIXEL_FORMAT_MONO12: PixelFormat
PIXEL_FORMAT_MONO16: PixelFormat
PIXEL_FORMAT_RGB8: PixelFormat
PIXEL_FORMAT_BGR8: PixelFormat

class Identity(_message.Message):
    __slots__ = ("id", "revision", "sha256")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    sha256: str
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x_px", "y_px", "width_px", "height_px")
    X_PX_FIELD_NUMBER: _ClassVar[int]
    Y_PX_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    def __init__(self, x_px: _Optional[float] = ..., y_px: _Optional[float] = ..., width_px: _Optional[float] = ..., height_px: _Optional[float] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x_px", "y_px")
    X_PX_FIELD_NUMBER: _ClassVar[int]
    Y_PX_FIELD_NUMBER: _ClassVar[int]
    x_px: float
    y_px: float
    def __init__(self, x_px: _Optional[float] = ..., y_px: _Optional[float] = ...) -> None: ...

class Defect(_message.Message):
    __slots__ = ("view", "class_name", "score", "box", "area_px", "length_px", "area_mm2", "length_mm", "region", "limit", "contour", "width_mm", "diameter_mm", "area_uncertainty_mm2", "length_uncertainty_mm", "width_uncertainty_mm", "diameter_uncertainty_mm")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    AREA_PX_FIELD_NUMBER: _ClassVar[int]
    LENGTH_PX_FIELD_NUMBER: _ClassVar[int]
    AREA_MM2_FIELD_NUMBER: _ClassVar[int]
    LENGTH_MM_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CONTOUR_FIELD_NUMBER: _ClassVar[int]
    WIDTH_MM_FIELD_NUMBER: _ClassVar[int]
    DIAMETER_MM_FIELD_NUMBER: _ClassVar[int]
    AREA_UNCERTAINTY_MM2_FIELD_NUMBER: _ClassVar[int]
    LENGTH_UNCERTAINTY_MM_FIELD_NUMBER: _ClassVar[int]
    WIDTH_UNCERTAINTY_MM_FIELD_NUMBER: _ClassVar[int]
    DIAMETER_UNCERTAINTY_MM_FIELD_NUMBER: _ClassVar[int]
    view: str
    class_name: str
    score: float
    box: Box
    area_px: float
    length_px: float
    area_mm2: float
    length_mm: float
    region: str
    limit: str
    contour: _containers.RepeatedCompositeFieldContainer[Point]
    width_mm: float
    diameter_mm: float
    area_uncertainty_mm2: float
    length_uncertainty_mm: float
    width_uncertainty_mm: float
    diameter_uncertainty_mm: float
    def __init__(self, view: _Optional[str] = ..., class_name: _Optional[str] = ..., score: _Optional[float] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., area_px: _Optional[float] = ..., length_px: _Optional[float] = ..., area_mm2: _Optional[float] = ..., length_mm: _Optional[float] = ..., region: _Optional[str] = ..., limit: _Optional[str] = ..., contour: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., width_mm: _Optional[float] = ..., diameter_mm: _Optional[float] = ..., area_uncertainty_mm2: _Optional[float] = ..., length_uncertainty_mm: _Optional[float] = ..., width_uncertainty_mm: _Optional[float] = ..., diameter_uncertainty_mm: _Optional[float] = ...) -> None: ...

class ViewScore(_message.Message):
    __slots__ = ("view", "score", "threshold")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    view: str
    score: float
    threshold: float
    def __init__(self, view: _Optional[str] = ..., score: _Optional[float] = ..., threshold: _Optional[float] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ("capture_ns", "queue_ns", "inspect_ns", "infer_ns", "decide_ns")
    CAPTURE_NS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_NS_FIELD_NUMBER: _ClassVar[int]
    INSPECT_NS_FIELD_NUMBER: _ClassVar[int]
    INFER_NS_FIELD_NUMBER: _ClassVar[int]
    DECIDE_NS_FIELD_NUMBER: _ClassVar[int]
    capture_ns: int
    queue_ns: int
    inspect_ns: int
    infer_ns: int
    decide_ns: int
    def __init__(self, capture_ns: _Optional[int] = ..., queue_ns: _Optional[int] = ..., inspect_ns: _Optional[int] = ..., infer_ns: _Optional[int] = ..., decide_ns: _Optional[int] = ...) -> None: ...

class ImageReference(_message.Message):
    __slots__ = ("view", "image_id", "kept")
    VIEW_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    view: str
    image_id: str
    kept: bool
    def __init__(self, view: _Optional[str] = ..., image_id: _Optional[str] = ..., kept: _Optional[bool] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("sequence", "boot_id", "line_id", "station_id", "trigger_number", "part_id", "outcome", "reason", "detail", "defects", "defects_total", "view_scores", "review", "triggered_utc_ns", "captured_utc_ns", "decided_utc_ns", "latency", "due_ns", "slack_ns", "encoder_count", "models", "recipe", "calibration", "config_fingerprint", "provider", "simulated", "images", "calibration_files")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PART_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    VIEW_SCORES_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    TRIGGERED_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    DUE_NS_FIELD_NUMBER: _ClassVar[int]
    SLACK_NS_FIELD_NUMBER: _ClassVar[int]
    ENCODER_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    SIMULATED_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FILES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    boot_id: str
    line_id: str
    station_id: str
    trigger_number: int
    part_id: str
    outcome: Outcome
    reason: Reason
    detail: str
    defects: _containers.RepeatedCompositeFieldContainer[Defect]
    defects_total: int
    view_scores: _containers.RepeatedCompositeFieldContainer[ViewScore]
    review: bool
    triggered_utc_ns: int
    captured_utc_ns: int
    decided_utc_ns: int
    latency: Latency
    due_ns: int
    slack_ns: int
    encoder_count: int
    models: _containers.RepeatedCompositeFieldContainer[Identity]
    recipe: Identity
    calibration: Identity
    config_fingerprint: str
    provider: str
    simulated: bool
    images: _containers.RepeatedCompositeFieldContainer[ImageReference]
    calibration_files: _containers.RepeatedCompositeFieldContainer[Identity]
    def __init__(self, sequence: _Optional[int] = ..., boot_id: _Optional[str] = ..., line_id: _Optional[str] = ..., station_id: _Optional[str] = ..., trigger_number: _Optional[int] = ..., part_id: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., detail: _Optional[str] = ..., defects: _Optional[_Iterable[_Union[Defect, _Mapping]]] = ..., defects_total: _Optional[int] = ..., view_scores: _Optional[_Iterable[_Union[ViewScore, _Mapping]]] = ..., review: _Optional[bool] = ..., triggered_utc_ns: _Optional[int] = ..., captured_utc_ns: _Optional[int] = ..., decided_utc_ns: _Optional[int] = ..., latency: _Optional[_Union[Latency, _Mapping]] = ..., due_ns: _Optional[int] = ..., slack_ns: _Optional[int] = ..., encoder_count: _Optional[int] = ..., models: _Optional[_Iterable[_Union[Identity, _Mapping]]] = ..., recipe: _Optional[_Union[Identity, _Mapping]] = ..., calibration: _Optional[_Union[Identity, _Mapping]] = ..., config_fingerprint: _Optional[str] = ..., provider: _Optional[str] = ..., simulated: _Optional[bool] = ..., images: _Optional[_Iterable[_Union[ImageReference, _Mapping]]] = ..., calibration_files: _Optional[_Iterable[_Union[Identity, _Mapping]]] = ...) -> None: ...

class StreamVerdictsRequest(_message.Message):
    __slots__ = ("station_id", "after_sequence", "reader", "live_only", "heartbeat_ms", "max_unacknowledged")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    LIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_UNACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    after_sequence: int
    reader: str
    live_only: bool
    heartbeat_ms: int
    max_unacknowledged: int
    def __init__(self, station_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., reader: _Optional[str] = ..., live_only: _Optional[bool] = ..., heartbeat_ms: _Optional[int] = ..., max_unacknowledged: _Optional[int] = ...) -> None: ...

class StreamVerdictsResponse(_message.Message):
    __slots__ = ("verdicts", "last_sequence", "boot_id", "gap", "sent_utc_ns", "late_sequences")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    SENT_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    LATE_SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    last_sequence: int
    boot_id: str
    gap: Gap
    sent_utc_ns: int
    late_sequences: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., last_sequence: _Optional[int] = ..., boot_id: _Optional[str] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., sent_utc_ns: _Optional[int] = ..., late_sequences: _Optional[_Iterable[int]] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("first_sequence", "last_sequence", "why")
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    first_sequence: int
    last_sequence: int
    why: str
    def __init__(self, first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ..., why: _Optional[str] = ...) -> None: ...

class AcknowledgeVerdictsRequest(_message.Message):
    __slots__ = ("station_id", "reader", "sequence")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    reader: str
    sequence: int
    def __init__(self, station_id: _Optional[str] = ..., reader: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class AcknowledgeVerdictsResponse(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class TriggerInspectionRequest(_message.Message):
    __slots__ = ("station_id", "part_id", "encoder_count", "due_ms", "wait", "request_id")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    PART_ID_FIELD_NUMBER: _ClassVar[int]
    ENCODER_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    part_id: str
    encoder_count: int
    due_ms: int
    wait: bool
    request_id: str
    def __init__(self, station_id: _Optional[str] = ..., part_id: _Optional[str] = ..., encoder_count: _Optional[int] = ..., due_ms: _Optional[int] = ..., wait: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class TriggerInspectionResponse(_message.Message):
    __slots__ = ("trigger_number", "boot_id", "verdict", "late")
    TRIGGER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    trigger_number: int
    boot_id: str
    verdict: Verdict
    late: bool
    def __init__(self, trigger_number: _Optional[int] = ..., boot_id: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., late: _Optional[bool] = ...) -> None: ...

class Image(_message.Message):
    __slots__ = ("raw", "encoded", "pixel_format", "view")
    RAW_FIELD_NUMBER: _ClassVar[int]
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    PIXEL_FORMAT_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    raw: RawPixels
    encoded: bytes
    pixel_format: PixelFormat
    view: str
    def __init__(self, raw: _Optional[_Union[RawPixels, _Mapping]] = ..., encoded: _Optional[bytes] = ..., pixel_format: _Optional[_Union[PixelFormat, str]] = ..., view: _Optional[str] = ...) -> None: ...

class RawPixels(_message.Message):
    __slots__ = ("data", "width_px", "height_px", "stride_bytes", "crc32")
    DATA_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    STRIDE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CRC32_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    width_px: int
    height_px: int
    stride_bytes: int
    crc32: int
    def __init__(self, data: _Optional[bytes] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., stride_bytes: _Optional[int] = ..., crc32: _Optional[int] = ...) -> None: ...

class InspectImageRequest(_message.Message):
    __slots__ = ("station_id", "images")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    images: _containers.RepeatedCompositeFieldContainer[Image]
    def __init__(self, station_id: _Optional[str] = ..., images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ...) -> None: ...

class InspectImageResponse(_message.Message):
    __slots__ = ("outcome", "reason", "detail", "defects", "defects_total", "view_scores", "review", "models", "recipe", "calibration", "provider", "infer_ns", "total_ns")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_FIELD_NUMBER: _ClassVar[int]
    DEFECTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    VIEW_SCORES_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    INFER_NS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_NS_FIELD_NUMBER: _ClassVar[int]
    outcome: Outcome
    reason: Reason
    detail: str
    defects: _containers.RepeatedCompositeFieldContainer[Defect]
    defects_total: int
    view_scores: _containers.RepeatedCompositeFieldContainer[ViewScore]
    review: bool
    models: _containers.RepeatedCompositeFieldContainer[Identity]
    recipe: Identity
    calibration: Identity
    provider: str
    infer_ns: int
    total_ns: int
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[_Union[Reason, str]] = ..., detail: _Optional[str] = ..., defects: _Optional[_Iterable[_Union[Defect, _Mapping]]] = ..., defects_total: _Optional[int] = ..., view_scores: _Optional[_Iterable[_Union[ViewScore, _Mapping]]] = ..., review: _Optional[bool] = ..., models: _Optional[_Iterable[_Union[Identity, _Mapping]]] = ..., recipe: _Optional[_Union[Identity, _Mapping]] = ..., calibration: _Optional[_Union[Identity, _Mapping]] = ..., provider: _Optional[str] = ..., infer_ns: _Optional[int] = ..., total_ns: _Optional[int] = ...) -> None: ...

class PushFramesRequest(_message.Message):
    __slots__ = ("station_id", "images", "part_id", "encoder_count", "due_ms", "captured_utc_ns", "frame_id")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    PART_ID_FIELD_NUMBER: _ClassVar[int]
    ENCODER_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    CAPTURED_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    images: _containers.RepeatedCompositeFieldContainer[Image]
    part_id: str
    encoder_count: int
    due_ms: int
    captured_utc_ns: int
    frame_id: int
    def __init__(self, station_id: _Optional[str] = ..., images: _Optional[_Iterable[_Union[Image, _Mapping]]] = ..., part_id: _Optional[str] = ..., encoder_count: _Optional[int] = ..., due_ms: _Optional[int] = ..., captured_utc_ns: _Optional[int] = ..., frame_id: _Optional[int] = ...) -> None: ...

class PushFramesResponse(_message.Message):
    __slots__ = ("frame_id", "verdict", "error", "late")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    frame_id: int
    verdict: Verdict
    error: str
    late: bool
    def __init__(self, frame_id: _Optional[int] = ..., verdict: _Optional[_Union[Verdict, _Mapping]] = ..., error: _Optional[str] = ..., late: _Optional[bool] = ...) -> None: ...

class GetVerdictRequest(_message.Message):
    __slots__ = ("station_id", "sequence", "trigger_number")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_NUMBER_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    sequence: int
    trigger_number: int
    def __init__(self, station_id: _Optional[str] = ..., sequence: _Optional[int] = ..., trigger_number: _Optional[int] = ...) -> None: ...

class GetVerdictResponse(_message.Message):
    __slots__ = ("verdict", "images")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    images: _containers.RepeatedCompositeFieldContainer[ArchivedImage]
    def __init__(self, verdict: _Optional[_Union[Verdict, _Mapping]] = ..., images: _Optional[_Iterable[_Union[ArchivedImage, _Mapping]]] = ...) -> None: ...

class ArchivedImage(_message.Message):
    __slots__ = ("image_id", "view", "state", "size_bytes", "sha256")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    view: str
    state: str
    size_bytes: int
    sha256: str
    def __init__(self, image_id: _Optional[str] = ..., view: _Optional[str] = ..., state: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class ListVerdictsRequest(_message.Message):
    __slots__ = ("station_id", "after_sequence", "page_size", "outcomes", "part_id", "from_utc_ns", "to_utc_ns", "newest_first")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    PART_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    TO_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    after_sequence: int
    page_size: int
    outcomes: _containers.RepeatedScalarFieldContainer[Outcome]
    part_id: str
    from_utc_ns: int
    to_utc_ns: int
    newest_first: bool
    def __init__(self, station_id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., page_size: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[Outcome, str]]] = ..., part_id: _Optional[str] = ..., from_utc_ns: _Optional[int] = ..., to_utc_ns: _Optional[int] = ..., newest_first: _Optional[bool] = ...) -> None: ...

class ListVerdictsResponse(_message.Message):
    __slots__ = ("verdicts", "next_after_sequence")
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    next_after_sequence: int
    def __init__(self, verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., next_after_sequence: _Optional[int] = ...) -> None: ...

class GetImageRequest(_message.Message):
    __slots__ = ("station_id", "image_id")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    image_id: str
    def __init__(self, station_id: _Optional[str] = ..., image_id: _Optional[str] = ...) -> None: ...

class GetImageResponse(_message.Message):
    __slots__ = ("description", "chunk")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    description: ImageDescription
    chunk: bytes
    def __init__(self, description: _Optional[_Union[ImageDescription, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ImageDescription(_message.Message):
    __slots__ = ("image_id", "pixel_format", "width_px", "height_px", "media_type", "sha256", "size_bytes")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PIXEL_FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    pixel_format: PixelFormat
    width_px: int
    height_px: int
    media_type: str
    sha256: str
    size_bytes: int
    def __init__(self, image_id: _Optional[str] = ..., pixel_format: _Optional[_Union[PixelFormat, str]] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., media_type: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class GetStationStatusRequest(_message.Message):
    __slots__ = ("station_id",)
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    def __init__(self, station_id: _Optional[str] = ...) -> None: ...

class GetStationStatusResponse(_message.Message):
    __slots__ = ("line_id", "station_id", "boot_id", "ready", "why_not_ready", "paused", "counters", "recipe", "calibration", "models", "config_fingerprint", "provider", "cameras", "inspectors", "readers", "last_sequence", "started_utc_ns", "archive", "events", "version", "calibrations")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_READY_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    COUNTERS_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CAMERAS_FIELD_NUMBER: _ClassVar[int]
    INSPECTORS_FIELD_NUMBER: _ClassVar[int]
    READERS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STARTED_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATIONS_FIELD_NUMBER: _ClassVar[int]
    line_id: str
    station_id: str
    boot_id: str
    ready: bool
    why_not_ready: str
    paused: bool
    counters: Counters
    recipe: Identity
    calibration: Identity
    models: _containers.RepeatedCompositeFieldContainer[Identity]
    config_fingerprint: str
    provider: str
    cameras: _containers.RepeatedCompositeFieldContainer[CameraStatus]
    inspectors: _containers.RepeatedCompositeFieldContainer[InspectorStatus]
    readers: _containers.RepeatedCompositeFieldContainer[ReaderStatus]
    last_sequence: int
    started_utc_ns: int
    archive: ArchiveStatus
    events: _containers.RepeatedCompositeFieldContainer[StationEvent]
    version: str
    calibrations: _containers.RepeatedCompositeFieldContainer[CalibrationStatus]
    def __init__(self, line_id: _Optional[str] = ..., station_id: _Optional[str] = ..., boot_id: _Optional[str] = ..., ready: _Optional[bool] = ..., why_not_ready: _Optional[str] = ..., paused: _Optional[bool] = ..., counters: _Optional[_Union[Counters, _Mapping]] = ..., recipe: _Optional[_Union[Identity, _Mapping]] = ..., calibration: _Optional[_Union[Identity, _Mapping]] = ..., models: _Optional[_Iterable[_Union[Identity, _Mapping]]] = ..., config_fingerprint: _Optional[str] = ..., provider: _Optional[str] = ..., cameras: _Optional[_Iterable[_Union[CameraStatus, _Mapping]]] = ..., inspectors: _Optional[_Iterable[_Union[InspectorStatus, _Mapping]]] = ..., readers: _Optional[_Iterable[_Union[ReaderStatus, _Mapping]]] = ..., last_sequence: _Optional[int] = ..., started_utc_ns: _Optional[int] = ..., archive: _Optional[_Union[ArchiveStatus, _Mapping]] = ..., events: _Optional[_Iterable[_Union[StationEvent, _Mapping]]] = ..., version: _Optional[str] = ..., calibrations: _Optional[_Iterable[_Union[CalibrationStatus, _Mapping]]] = ...) -> None: ...

class CalibrationStatus(_message.Message):
    __slots__ = ("file", "view", "kind", "made_utc_ns", "warning")
    FILE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MADE_UTC_NS_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    file: Identity
    view: str
    kind: str
    made_utc_ns: int
    warning: str
    def __init__(self, file: _Optional[_Union[Identity, _Mapping]] = ..., view: _Optional[str] = ..., kind: _Optional[str] = ..., made_utc_ns: _Optional[int] = ..., warning: _Optional[str] = ...) -> None: ...

class Counters(_message.Message):
    __slots__ = ("triggers", "fail", "not_inspected", "in_flight", "late")
    TRIGGERS_FIELD_NUMBER: _ClassVar[int]
    PASS_FIELD_NUMBER: _ClassVar[int]
    FAIL_FIELD_NUMBER: _ClassVar[int]
    NOT_INSPECTED_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    triggers: int
    fail: int
    not_inspected: int
    in_flight: int
    late: int
    def __init__(self, triggers: _Optional[int] = ..., fail: _Optional[int] = ..., not_inspected: _Optional[int] = ..., in_flight: _Optional[int] = ..., late: _Optional[int] = ..., **kwargs) -> None: ...

class CameraStatus(_message.Message):
    __slots__ = ("view", "backend", "serial", "model", "connected", "detail", "frames", "missed", "restarts", "settings", "triggers_ignored", "triggers_unexplained")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VIEW_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_IGNORED_FIELD_NUMBER: _ClassVar[int]
    TRIGGERS_UNEXPLAINED_FIELD_NUMBER: _ClassVar[int]
    view: str
    backend: str
    serial: str
    model: str
    connected: bool
    detail: str
    frames: int
    missed: int
    restarts: int
    settings: _containers.ScalarMap[str, str]
    triggers_ignored: int
    triggers_unexplained: int
    def __init__(self, view: _Optional[str] = ..., backend: _Optional[str] = ..., serial: _Optional[str] = ..., model: _Optional[str] = ..., connected: _Optional[bool] = ..., detail: _Optional[str] = ..., frames: _Optional[int] = ..., missed: _Optional[int] = ..., restarts: _Optional[int] = ..., settings: _Optional[_Mapping[str, str]] = ..., triggers_ignored: _Optional[int] = ..., triggers_unexplained: _Optional[int] = ...) -> None: ...

class InspectorStatus(_message.Message):
    __slots__ = ("number", "ready", "provider", "detail", "judged", "restarts")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    number: int
    ready: bool
    provider: str
    detail: str
    judged: int
    restarts: int
    def __init__(self, number: _Optional[int] = ..., ready: _Optional[bool] = ..., provider: _Optional[str] = ..., detail: _Optional[str] = ..., judged: _Optional[int] = ..., restarts: _Optional[int] = ...) -> None: ...

class ReaderStatus(_message.Message):
    __slots__ = ("reader", "peer", "connected", "sent_sequence", "acknowledged_sequence", "lag")
    READER_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    SENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAG_FIELD_NUMBER: _ClassVar[int]
    reader: str
    peer: str
    connected: bool
    sent_sequence: int
    acknowledged_sequence: int
    lag: int
    def __init__(self, reader: _Optional[str] = ..., peer: _Optional[str] = ..., connected: _Optional[bool] = ..., sent_sequence: _Optional[int] = ..., acknowledged_sequence: _Optional[int] = ..., lag: _Optional[int] = ...) -> None: ...

class ArchiveStatus(_message.Message):
    __slots__ = ("step", "free_bytes", "kept", "shed", "failed")
    STEP_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    SHED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    step: str
    free_bytes: int
    kept: int
    shed: int
    failed: int
    def __init__(self, step: _Optional[str] = ..., free_bytes: _Optional[int] = ..., kept: _Optional[int] = ..., shed: _Optional[int] = ..., failed: _Optional[int] = ...) -> None: ...

class StationEvent(_message.Message):
    __slots__ = ("utc_ns", "kind", "detail")
    UTC_NS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    utc_ns: int
    kind: str
    detail: str
    def __init__(self, utc_ns: _Optional[int] = ..., kind: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class ChangeRecipeRequest(_message.Message):
    __slots__ = ("station_id", "recipe_id", "requested_by")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    recipe_id: str
    requested_by: str
    def __init__(self, station_id: _Optional[str] = ..., recipe_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class ChangeRecipeResponse(_message.Message):
    __slots__ = ("recipe",)
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    recipe: Identity
    def __init__(self, recipe: _Optional[_Union[Identity, _Mapping]] = ...) -> None: ...

class StartSelfTestRequest(_message.Message):
    __slots__ = ("station_id", "check_calibration", "requested_by", "view")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    CHECK_CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    check_calibration: bool
    requested_by: str
    view: str
    def __init__(self, station_id: _Optional[str] = ..., check_calibration: _Optional[bool] = ..., requested_by: _Optional[str] = ..., view: _Optional[str] = ...) -> None: ...

class StartSelfTestResponse(_message.Message):
    __slots__ = ("passed", "detail", "check_records")
    PASSED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    CHECK_RECORDS_FIELD_NUMBER: _ClassVar[int]
    passed: bool
    detail: str
    check_records: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, passed: _Optional[bool] = ..., detail: _Optional[str] = ..., check_records: _Optional[_Iterable[str]] = ...) -> None: ...

class PauseStationRequest(_message.Message):
    __slots__ = ("station_id", "requested_by", "why")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    requested_by: str
    why: str
    def __init__(self, station_id: _Optional[str] = ..., requested_by: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class PauseStationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResumeStationRequest(_message.Message):
    __slots__ = ("station_id", "requested_by")
    STATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    station_id: str
    requested_by: str
    def __init__(self, station_id: _Optional[str] = ..., requested_by: _Optional[str] = ...) -> None: ...

class ResumeStationResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

"""What a table held, in a bounded number of bytes: profiles that are merged and compared instead of rows."""

from monitoring.profiles.categorical import CategoricalProfile
from monitoring.profiles.definition import ColumnDefinition, Kind, ProfileDefinitionError, TableDefinition
from monitoring.profiles.encoding import (
    ForeignProfileError,
    OtherProfileVersionError,
    TruncatedProfileError,
    UnreadableProfileError,
    from_bytes,
    to_bytes,
)
from monitoring.profiles.numeric import NumericProfile
from monitoring.profiles.row_sample import UNIT, RowSample
from monitoring.profiles.table import (
    IncompatibleProfilesError,
    TableProfile,
    UnprofiledColumnError,
    profile_batches,
    profile_table,
)

__all__ = [
    "UNIT",
    "CategoricalProfile",
    "ColumnDefinition",
    "ForeignProfileError",
    "IncompatibleProfilesError",
    "Kind",
    "NumericProfile",
    "OtherProfileVersionError",
    "ProfileDefinitionError",
    "RowSample",
    "TableDefinition",
    "TableProfile",
    "TruncatedProfileError",
    "UnprofiledColumnError",
    "UnreadableProfileError",
    "from_bytes",
    "profile_batches",
    "profile_table",
    "to_bytes",
]

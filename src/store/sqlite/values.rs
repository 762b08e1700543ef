//! How the values of the domain stand in a column.
//!
//! Conversions only.

use chrono::NaiveDateTime;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::command::{By, SystemId};
use crate::engine::{Mode, Outcome, Reason};
use crate::time::BootId;

/// A local time without zone, as text.
pub(super) struct Local(pub(super) NaiveDateTime);

const LOCAL_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f";

impl ToSql for Local {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.format(LOCAL_FORMAT).to_string().into())
    }
}

impl FromSql for Local {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        NaiveDateTime::parse_from_str(value.as_str()?, LOCAL_FORMAT)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl ToSql for SystemId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for SystemId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(FromSqlError::other)
    }
}

impl ToSql for By {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for By {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match Self::parse(value.as_str()?) {
            Ok(Some(by)) => Ok(by),
            Ok(None) => Err(FromSqlError::InvalidType),
            Err(invalid) => Err(FromSqlError::other(invalid)),
        }
    }
}

/// Stores a plain enum as the name on its right, and reads it back.
macro_rules! stored_as_text {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(match self { $(Self::$variant => $text,)+ }.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($text => Ok(Self::$variant),)+
                    other => Err(FromSqlError::other(std::io::Error::other(format!(
                        concat!("no such ", stringify!($name), ": {:?}"), other
                    )))),
                }
            }
        }
    };
}

stored_as_text!(Mode { Timer = "timer", Manual = "manual" });
stored_as_text!(Outcome {
    Completed = "completed",
    Stopped = "stopped",
    Replaced = "replaced",
    Limited = "limited",
    Interrupted = "interrupted",
});
stored_as_text!(Reason {
    TimerRunning = "timer_running",
    ManualHasPriority = "manual_has_priority",
    ManualRunning = "manual_running",
    NotRunning = "not_running",
});

impl ToSql for BootId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_be_bytes().to_vec().into())
    }
}

impl FromSql for BootId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 16]>::column_result(value).map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}

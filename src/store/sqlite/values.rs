//! How the values of the domain stand in a column.
//!
//! Conversions only.

use chrono::NaiveDateTime;
use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::command::{By, SystemId};
use crate::engine::{Mode, Outcome, Reason};
use crate::store::text::{Named, local, parse_local};
use crate::time::BootId;

/// A local time without zone, as text.
pub(super) struct Local(pub(super) NaiveDateTime);

impl ToSql for Local {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(local(&self.0).into())
    }
}

impl FromSql for Local {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        parse_local(value.as_str()?)
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

/// Stores a plain value as its name.
macro_rules! stored_as_name {
    ($($type:ident),+) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.name().into())
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let name = value.as_str()?;
                Self::named(name).ok_or_else(|| {
                    let problem = format!(concat!("no such ", stringify!($type), ": {:?}"), name);
                    FromSqlError::other(std::io::Error::other(problem))
                })
            }
        }
    )+};
}

stored_as_name!(Mode, Outcome, Reason);

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

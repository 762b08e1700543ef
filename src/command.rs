//! What can be asked of a system, and the names that are checked at every door.
//!
//! Parsing only: nothing here knows what a command leads to ([`crate::engine`]) or where it came from.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Id of an irrigation system: `[a-z0-9][a-z0-9_-]{0,63}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SystemId(Arc<str>);

/// The text is not a [`SystemId`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "a system id is 1 to 64 characters of a-z, 0-9, '_' and '-', the first of them a letter or a digit"
)]
pub struct InvalidSystemId;

impl SystemId {
    pub const MAX_LEN: usize = 64;

    /// # Errors
    /// [`InvalidSystemId`] says what is allowed.
    pub fn parse(text: &str) -> Result<Self, InvalidSystemId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let valid = bytes.len() <= Self::MAX_LEN
            && bytes.first().is_some_and(|b| plain(*b))
            && bytes.iter().all(|b| plain(*b) || matches!(b, b'_' | b'-'));
        valid.then(|| Self(text.into())).ok_or(InvalidSystemId)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SystemId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks: at most 64 printable characters, kept in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By(Arc<str>);

/// The text cannot name who asks.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("'by' is at most 64 printable characters")]
pub struct InvalidBy;

impl By {
    pub const MAX_CHARS: usize = 64;

    /// Nothing for an empty text.
    ///
    /// # Errors
    /// [`InvalidBy`] says what is allowed.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidBy> {
        if text.chars().count() > Self::MAX_CHARS || text.chars().any(|c| !printable(c)) {
            return Err(InvalidBy);
        }
        Ok((!text.is_empty()).then(|| Self(text.into())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line separators and the marks that turn the direction of text can make a log line or a
/// history row lie about itself; everything else can be printed.
fn printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What somebody asks of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Water until stopped, or for `limit_s` seconds at the most.
    Manual {
        limit_s: Option<u32>,
        by: Option<By>,
    },
    /// Water for `seconds`.
    Timer { seconds: u32, by: Option<By> },
    /// No more water.
    Stop { by: Option<By> },
}

/// A key that names one request, so that it can be sent again without a second effect: the header `Idempotency-Key`
/// (draft-ietf-httpapi-idempotency-key-header).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// The text is not an [`IdempotencyKey`].
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "'Idempotency-Key' is 1 to 128 printable ASCII characters, in double quotes or without any, as in \"8e03978e-40d5-43dd-bc93-6894a57f9324\""
)]
pub struct InvalidKey;

impl IdempotencyKey {
    pub const MAX_LEN: usize = 128;

    /// Reads the value of the header: a string of RFC 8941, or the bare text that many clients send.
    ///
    /// # Errors
    /// [`InvalidKey`] says what is allowed.
    pub fn parse(value: &[u8]) -> Result<Self, InvalidKey> {
        let text = std::str::from_utf8(value).map_err(|_| InvalidKey)?.trim();
        let key = match text.strip_prefix('"') {
            Some(quoted) => unquoted(quoted.strip_suffix('"').ok_or(InvalidKey)?)?,
            None if text.contains('"') => return Err(InvalidKey),
            None => text.to_owned(),
        };
        Self::bare(&key)
    }

    /// Takes the key itself, as [`IdempotencyKey::as_str`] gives it.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn bare(key: &str) -> Result<Self, InvalidKey> {
        let printable = key.bytes().all(|b| matches!(b, b' '..=b'~'));
        let valid = printable && (1..=Self::MAX_LEN).contains(&key.len());
        valid.then(|| Self(key.into())).ok_or(InvalidKey)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands between the quotes, without the backslashes that protect quotes and backslashes.
fn unquoted(text: &str) -> Result<String, InvalidKey> {
    let mut key = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        key.push(match (c, c == '\\') {
            ('"', _) => return Err(InvalidKey),
            (_, true) => chars
                .next()
                .filter(|c| matches!(c, '"' | '\\'))
                .ok_or(InvalidKey)?,
            (c, false) => c,
        });
    }
    Ok(key)
}

/// A request that can be sent again: its key, and what it asks, so that the key cannot be used for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub key: IdempotencyKey,
    pub asks: Arc<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_ids_are_checked_to_the_letter() {
        for good in ["a", "0", "north", "zone-1_b", &"a".repeat(64)] {
            assert_eq!(
                SystemId::parse(good).map(|id| id.to_string()),
                Ok(good.into())
            );
        }
        for bad in [
            "",
            "-a",
            "_a",
            "A",
            "a b",
            "é",
            "a/b",
            "a.b",
            &"a".repeat(65),
        ] {
            assert_eq!(SystemId::parse(bad), Err(InvalidSystemId), "{bad:?}");
        }
    }

    #[test]
    fn by_takes_printable_text_of_any_script() {
        assert_eq!(By::parse(""), Ok(None));
        for good in ["pump 3", "Zoé", &"é".repeat(64)] {
            let by = By::parse(good).expect("valid").expect("some");
            assert_eq!(by.as_str(), good);
        }
        for bad in ["a\nb", "\u{7}", "a\u{202e}b", &"x".repeat(65)] {
            assert_eq!(By::parse(bad), Err(InvalidBy), "{bad:?}");
        }
    }

    #[test]
    fn an_idempotency_key_is_a_quoted_or_a_bare_text() {
        for (value, key) in [
            (r#""8e03978e""#, "8e03978e"),
            ("8e03978e", "8e03978e"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            (&"k".repeat(128), &"k".repeat(128)),
        ] {
            let parsed = IdempotencyKey::parse(value.as_bytes());
            assert_eq!(parsed.as_ref().map(|key| key.as_str()), Ok(key));
        }
        for bad in [
            "",
            "\"\"",
            "\"a",
            "a\"",
            "\"a\"b\"",
            "é",
            r#""a\n""#,
            r#""a\""#,
            &"k".repeat(129),
        ] {
            let parsed = IdempotencyKey::parse(bad.as_bytes());
            assert_eq!(parsed, Err(InvalidKey), "{bad:?}");
        }
        assert_eq!(IdempotencyKey::parse(b"\xff"), Err(InvalidKey));
    }
}

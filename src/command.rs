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
}

//! Where a store lives, as it is written down.
//!
//! Parsing only: nothing is opened or connected here. Passwords never leave by way of a text.

use std::fmt;
use std::path::PathBuf;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// Where a store lives.
#[derive(Clone, Debug)]
pub enum StoreUrl {
    /// One file, for one process.
    Sqlite(PathBuf),
    /// A server that any number of processes share.
    Redis(Box<RedisUrl>),
}

/// The schemes that a Redis or Valkey server is named with.
const SCHEMES: [&str; 3] = ["redis", "rediss", "redis+unix"];

/// What [`StoreUrl::parse`] allows, for who reads an error.
const ALLOWED: &str = "sqlite:PATH, redis://[USER:PASSWORD@]HOST[:PORT][/DB][?prefix=NAME], rediss://… or \
     redis+unix:///PATH[?db=DB&user=USER&pass=PASSWORD&prefix=NAME] is";

impl StoreUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// What was wrong and what is allowed, without anything that could be a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let (scheme, _) = text.split_once("://").unwrap_or((text, ""));
        if SCHEMES.contains(&scheme) {
            return RedisUrl::parse(text).map(|url| Self::Redis(Box::new(url)));
        }
        Err(format!("{:?} is not allowed; {ALLOWED}", masked(text)))
    }
}

impl fmt::Display for StoreUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Redis(url) => url.fmt(f),
        }
    }
}

/// A Redis or Valkey server, and the name before all keys that are ours.
#[derive(Clone)]
pub struct RedisUrl {
    pub(super) server: ConnectionInfo,
    pub(super) prefix: String,
    shown: String,
}

impl RedisUrl {
    /// The name before all keys, where the URL has no `prefix`.
    pub const PREFIX: &str = "acequia";

    fn parse(text: &str) -> Result<Self, String> {
        let shown = masked(text);
        let refused = |problem: &str| format!("{shown:?} is not allowed ({problem}); {ALLOWED}");
        let mut url = redis::parse_redis_url(text).ok_or_else(|| refused("it is no URL"))?;
        let (ours, theirs): (Vec<_>, Vec<_>) = url
            .query_pairs()
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .partition(|(key, _)| key == "prefix");
        url.query_pairs_mut().clear().extend_pairs(&theirs);
        let known = ["db", "user", "pass", "protocol"];
        if let Some((key, _)) = theirs.iter().find(|(key, _)| !known.contains(&&**key)) {
            return Err(refused(&format!("unknown parameter {key:?}")));
        }
        let prefix = match ours.as_slice() {
            [] => Self::PREFIX,
            [(_, prefix)] => prefix,
            _ => return Err(refused("more than one prefix")),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if prefix.is_empty() || prefix.len() > 64 || !prefix.chars().all(plain) {
            return Err(refused(
                "a prefix is 1 to 64 characters of a-z, A-Z, 0-9, '_', '-', '.' and ':'",
            ));
        }
        let prefix = prefix.to_owned();
        let server = url.into_connection_info();
        let server = server.map_err(|cause| refused(&cause.to_string()))?;
        Ok(Self {
            server,
            prefix,
            shown,
        })
    }
}

impl fmt::Display for RedisUrl {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The text with `***` in place of a password, wherever a URL can have one.
pub(crate) fn masked(text: &str) -> String {
    // A password can contain anything by mistake: all from the first ':' behind the scheme to the last '@'.
    let from = text.find("://").map_or(0, |scheme| scheme + 3);
    let mut shown = match text.rfind('@') {
        Some(at) if at >= from => match text[from..at].find(':') {
            Some(colon) => format!("{}:***{}", &text[..from + colon], &text[at..]),
            None => text.to_owned(),
        },
        _ => text.to_owned(),
    };
    if let Some((front, query)) = shown.split_once('?') {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some(("pass", _)) => "pass=***",
            _ => pair,
        });
        shown = format!("{front}?{}", pairs.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(text: &str) -> RedisUrl {
        match StoreUrl::parse(text) {
            Ok(StoreUrl::Redis(url)) => *url,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_server_is_named_over_tcp_tls_or_a_socket() {
        let url = redis("redis://pump:s3cret@box.local:6380/2?prefix=valley");
        assert_eq!(url.prefix, "valley");
        assert_eq!(url.server.addr().to_string(), "box.local:6380");
        assert_eq!(url.server.redis_settings().db(), 2);
        assert_eq!(url.server.redis_settings().username(), Some("pump"));
        assert_eq!(url.server.redis_settings().password(), Some("s3cret"));
        let url = redis("redis+unix:///run/redis.sock?db=1&user=pump&pass=s3cret");
        assert_eq!(url.prefix, RedisUrl::PREFIX);
        assert_eq!(url.server.addr().to_string(), "/run/redis.sock");
        assert_eq!(url.server.redis_settings().db(), 1);
        assert_eq!(
            redis("rediss://box.local").server.addr().to_string(),
            "box.local:6379"
        );
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        for text in [
            "redis://pump:s3cret@box.local/2?prefix=valley",
            "redis://:s3cret@box.local",
            "redis+unix:///run/redis.sock?pass=s3cret&db=1",
        ] {
            let url = StoreUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let shown = format!("{url} {url:?}");
            assert!(
                !shown.contains("s3cret") && shown.contains("***"),
                "{shown}"
            );
        }
        for text in [
            "redis://pump:s3@cret@:box/x",
            "redis://pump:s3cret@box/none",
            "redis://pump:s3cret@box?prefix=",
            "redis://pump:s3cret@box?timeout=1",
            "postgres://pump:s3cret@box",
            "redis://pump:s3?cret@box",
            "redis:pump:s3cret@box",
            "rediss//pump:s3cret@box",
        ] {
            let refused = StoreUrl::parse(text).unwrap_err();
            assert!(!refused.contains("cret"), "{refused}");
            assert!(refused.contains("is not allowed"), "{refused}");
        }
    }
}

//! What stands in a request: query parameters and the small JSON body of a command.
//!
//! Parsing only; every refusal says what is allowed.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::command::{By, IdempotencyKey, Request, SystemId};
use crate::config::Limits;
use crate::error::{ApiError, Code};

/// What a command route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Manual,
    Timer,
    Stop,
}

/// What a command asks for besides its verb.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub seconds: Option<u32>,
    pub by: Option<By>,
}

/// True for what makes a connection a websocket, of whatever kind, if it is granted.
pub(crate) fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let to = headers.get(header::UPGRADE);
    to.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Refuses a body that says that it is larger than one may be.
///
/// # Errors
/// `too_large`.
pub(crate) fn check_length(body: &Body, most: usize) -> Result<(), ApiError> {
    if body.size_hint().lower() > most as u64 {
        return Err(too_large(most));
    }
    Ok(())
}

fn too_large(most: usize) -> ApiError {
    let message = format!("a body may have {most} bytes");
    ApiError::new(Code::TooLarge, message)
}

/// Reads a body to its end.
///
/// # Errors
/// `too_large`; `bad_request`.
pub(crate) async fn body(body: Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let most = limits.body_bytes;
    let time = Duration::from_millis(limits.header_timeout_ms);
    match tokio::time::timeout(time, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(cause)) if cause.is::<LengthLimitError>() => Err(too_large(most)),
        Ok(Err(_)) => Err(ApiError::bad_request("the body broke off")),
        Err(_) => Err(ApiError::bad_request("the body took too long to arrive")),
    }
}

/// Reads `seconds` (for a timer) and `by` from the query, or from a body that is a JSON object.
pub(crate) fn asked(
    verb: Verb,
    query: Option<&str>,
    body: &[u8],
    max_timer: u32,
) -> Result<Asked, ApiError> {
    let mut body = object(verb, body)?;
    let mut text = |name: &'static str| -> Result<Option<Value>, ApiError> {
        match (parameter(query, name)?, body.remove(name)) {
            (Some(_), Some(_)) => Err(ApiError::bad_request(format!(
                "'{name}' is in the query and in the body; one of them is allowed"
            ))),
            (Some(text), None) => Ok(Some(Value::String(text))),
            (None, value) => Ok(value),
        }
    };
    let seconds = match verb {
        Verb::Timer => text("seconds")?
            .map(|value| seconds(&value, max_timer))
            .transpose()?,
        Verb::Manual | Verb::Stop => None,
    };
    let by = match text("by")? {
        None | Some(Value::Null) => None,
        Some(Value::String(by)) => By::parse(&by)?,
        Some(_) => return Err(ApiError::bad_request("'by' must be a text")),
    };
    Ok(Asked { seconds, by })
}

/// Reads the header `Idempotency-Key`, where there is one, and names what the request asks.
pub(crate) fn request(
    headers: &HeaderMap,
    verb: Verb,
    system: &SystemId,
    asked: &Asked,
) -> Result<Option<Request>, ApiError> {
    let mut values = headers.get_all("idempotency-key").iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(key), None) => IdempotencyKey::parse(key.as_bytes())?,
        (Some(_), Some(_)) => {
            let message = "'Idempotency-Key' is given twice; once is allowed";
            return Err(ApiError::new(Code::InvalidIdempotencyKey, message));
        }
    };
    let verb = match verb {
        Verb::Manual => "manual",
        Verb::Timer => "timer",
        Verb::Stop => "stop",
    };
    let seconds = asked.seconds.map_or("-".into(), |s| s.to_string());
    let by = asked.by.as_ref().map_or("", By::as_str);
    let asks = format!("{verb} {system} {seconds} {by}").into();
    Ok(Some(Request { key, asks }))
}

fn object(verb: Verb, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let allowed: &[&str] = match verb {
        Verb::Timer => &["seconds", "by"],
        Verb::Manual | Verb::Stop => &["by"],
    };
    if body.is_empty() {
        return Ok(Map::new());
    }
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        let fields = allowed.join("' and '");
        ApiError::bad_request(format!(
            "a body must be a JSON object; its fields may be '{fields}'"
        ))
    })?;
    match object.keys().find(|key| !allowed.contains(&key.as_str())) {
        Some(key) => Err(ApiError::bad_request(format!(
            "the body has an unknown field {key:?}; allowed are '{}'",
            allowed.join("' and '")
        ))),
        None => Ok(object),
    }
}

fn seconds(value: &Value, max_timer: u32) -> Result<u32, ApiError> {
    let number = match value {
        Value::String(text) => plain_number(text),
        Value::Number(number) => number.as_u64(),
        _ => None,
    };
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|seconds| (1..=max_timer).contains(seconds))
        .ok_or_else(|| {
            let message = format!("'seconds' must be a whole number from 1 to {max_timer}");
            ApiError::new(Code::InvalidSeconds, message)
        })
}

/// Digits and nothing else.
fn plain_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Reads `limit` (1 to 100, by default 10) and `before` (the id of an action).
pub(crate) fn page(query: Option<&str>) -> Result<(u32, Option<u64>), ApiError> {
    const MOST: u64 = 100;
    let limit = match parameter(query, "limit")? {
        None => 10,
        Some(text) => plain_number(&text)
            .filter(|limit| (1..=MOST).contains(limit))
            .and_then(|limit| u32::try_from(limit).ok())
            .ok_or_else(|| {
                let message = format!("'limit' must be a whole number from 1 to {MOST}");
                ApiError::new(Code::InvalidLimit, message)
            })?,
    };
    let before = match parameter(query, "before")? {
        None => None,
        Some(text) => Some(plain_number(&text).ok_or_else(|| {
            ApiError::bad_request("'before' must be the id of an action, a whole number")
        })?),
    };
    Ok((limit, before))
}

/// Reads `running`: whether only systems with water are asked for, or only those without.
pub(crate) fn running(query: Option<&str>) -> Result<Option<bool>, ApiError> {
    match parameter(query, "running")?.as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(ApiError::bad_request("'running' must be 'true' or 'false'")),
    }
}

/// The value of a parameter. Others are ignored; one that is given twice could mean either.
fn parameter(query: Option<&str>, name: &'static str) -> Result<Option<String>, ApiError> {
    let pairs = form_urlencoded::parse(query.unwrap_or("").as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(Into::into)),
        _ => {
            let code = match name {
                "seconds" => Code::InvalidSeconds,
                "limit" => Code::InvalidLimit,
                _ => Code::BadRequest,
            };
            Err(ApiError::new(
                code,
                format!("'{name}' is given twice; once is allowed"),
            ))
        }
    }
}

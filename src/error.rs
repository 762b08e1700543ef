//! The errors that the outside sees: a stable code, a status, a text that says what was wrong and what is allowed.
//!
//! The cause inside never gets here: it goes to the log where it happened.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::command::{InvalidBy, InvalidKey, InvalidSystemId, SystemId};
use crate::gateway::SubmitError;
use crate::store::ReadError;
use crate::wire;

/// The stable codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    InvalidSeconds,
    InvalidLimit,
    InvalidSystemId,
    OriginNotAllowed,
    UnknownSystem,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    TooManyJoins,
    StoreUnavailable,
    Overloaded,
    InvalidIdempotencyKey,
    IdempotencyKeyReused,
}

impl Code {
    /// Every code, for the documentation and the test that compares the two.
    pub const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::InvalidSeconds,
        Self::InvalidLimit,
        Self::InvalidSystemId,
        Self::OriginNotAllowed,
        Self::UnknownSystem,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooLarge,
        Self::TooManyJoins,
        Self::StoreUnavailable,
        Self::Overloaded,
        Self::InvalidIdempotencyKey,
        Self::IdempotencyKeyReused,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::InvalidSeconds => "invalid_seconds",
            Self::InvalidLimit => "invalid_limit",
            Self::InvalidSystemId => "invalid_system_id",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::UnknownSystem => "unknown_system",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::TooManyJoins => "too_many_joins",
            Self::StoreUnavailable => "store_unavailable",
            Self::Overloaded => "overloaded",
            Self::InvalidIdempotencyKey => "invalid_idempotency_key",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest
            | Self::InvalidSeconds
            | Self::InvalidLimit
            | Self::InvalidSystemId
            | Self::InvalidIdempotencyKey
            | Self::TooManyJoins => StatusCode::BAD_REQUEST,
            Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::UnknownSystem | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::StoreUnavailable | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// An error as it leaves the gateway.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    message: Cow<'static, str>,
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    pub(crate) fn unknown_system(id: &SystemId) -> Self {
        Self::new(
            Code::UnknownSystem,
            format!("there is no system {id:?}; GET /systems lists those that there are"),
        )
    }

    pub(crate) fn overloaded() -> Self {
        Self::new(
            Code::Overloaded,
            "nothing was changed: too much to do at the moment, or a stop came after this; try again",
        )
    }

    pub(crate) fn body(&self) -> wire::ErrorBody<'_> {
        wire::ErrorBody {
            code: self.code.name(),
            message: &self.message,
        }
    }
}

impl From<InvalidSystemId> for ApiError {
    fn from(allowed: InvalidSystemId) -> Self {
        Self::new(Code::InvalidSystemId, allowed.to_string())
    }
}

impl From<InvalidBy> for ApiError {
    fn from(allowed: InvalidBy) -> Self {
        Self::bad_request(allowed.to_string())
    }
}

impl From<InvalidKey> for ApiError {
    fn from(allowed: InvalidKey) -> Self {
        Self::new(Code::InvalidIdempotencyKey, allowed.to_string())
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "this Idempotency-Key was used for another request within 24 h; a new request needs a new key \
                 (a stop was carried out all the same)",
            ),
            SubmitError::Overloaded => Self::overloaded(),
            SubmitError::Unavailable => Self::new(
                Code::StoreUnavailable,
                "the store does not answer: look at the state before you try again",
            ),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        SubmitError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(wire::Error { error: self.body() });
        let mut response = (self.code.status(), body).into_response();
        if self.code.status() == StatusCode::SERVICE_UNAVAILABLE {
            let second = HeaderValue::from_static("1");
            response.headers_mut().insert(header::RETRY_AFTER, second);
        }
        response
    }
}

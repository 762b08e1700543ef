//! The gateway over HTTP, as any controller knows it: calls go out, answers come back as what they mean.
//!
//! Decides nothing: how often something is tried, and what is asked at all, is for others.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::actuator::Heard;
use super::call::{Ask, Call, Settled, WRONG};

/// How long a question that is no command may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing that can be understood came back.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error("{0:?} is not the address of a gateway, as in http://127.0.0.1:8001")]
    Address(String),
    #[error("the request cannot be made")]
    Request(#[from] hyper::http::Error),
    #[error("the gateway does not answer")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("the answer broke off")]
    Body(#[from] hyper::Error),
    #[error("the gateway took too long to answer")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the gateway answered {status}: {text}")]
    Refused { status: StatusCode, text: String },
    #[error("the answer is not what a gateway says")]
    Json(#[from] serde_json::Error),
}

/// A system as the gateway lists it, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub lease_seconds: i64,
}

/// A row of the history, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub id: u64,
    pub outcome: String,
    pub duration_ms: Option<i64>,
    pub planned_ms: Option<i64>,
}

/// What came of one try.
#[derive(Debug)]
pub struct Reply {
    pub settled: Settled,
    pub retry_after: Option<Duration>,
    /// The state after a command that changed something.
    pub state: Option<Heard>,
}

impl Reply {
    const fn of(settled: Settled) -> Self {
        Self {
            settled,
            retry_after: None,
            state: None,
        }
    }
}

/// A cheap handle on the gateway.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client<HttpConnector, Empty<Bytes>>,
    /// Host and port.
    authority: String,
}

impl Api {
    /// # Errors
    /// [`ApiError::Address`] for what is not `http://` and a host.
    pub fn new(url: &str) -> Result<Self, ApiError> {
        let authority = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let is_plain = |rest: &&str| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']);
        let authority = authority.filter(is_plain);
        let authority = authority.ok_or_else(|| ApiError::Address(url.to_owned()))?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            authority: authority.to_owned(),
        })
    }

    /// Host and port, as in `127.0.0.1:8001`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// All systems of the gateway.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn systems(&self) -> Result<Vec<Listed>, ApiError> {
        self.read("/systems").await
    }

    /// The newest rows of the history of a system.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn history(&self, id: &str) -> Result<Vec<Row>, ApiError> {
        self.read(&format!("/systems/{id}/history?limit=100")).await
    }

    async fn read<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T, ApiError> {
        let exchange = self.exchange(Method::GET, path, None);
        let (status, _, body) = tokio::time::timeout(TIMEOUT, exchange).await??;
        if status != StatusCode::OK {
            let text = String::from_utf8_lossy(&body).into_owned();
            return Err(ApiError::Refused { status, text });
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// One try of a call.
    pub async fn send(&self, id: &str, by: &str, call: &Call) -> Reply {
        let (method, path) = match call.ask {
            Ask::Timer { seconds } => {
                let path = format!("/systems/{id}/timer?seconds={seconds}&by={by}");
                (Method::POST, path)
            }
            Ask::Manual => (Method::POST, format!("/systems/{id}/manual?by={by}")),
            Ask::Stop => (Method::POST, format!("/systems/{id}/stop?by={by}")),
            Ask::History => (Method::GET, format!("/systems/{id}/history")),
            Ask::Wrong(number) => {
                let wrong = &WRONG[number];
                let method = Method::from_bytes(wrong.method.as_bytes()).unwrap_or(Method::POST);
                (method, wrong.path.replace("{id}", id))
            }
        };
        let exchange = self.exchange(method, &path, call.key.as_deref());
        let Ok(Ok((status, retry_after, body))) =
            tokio::time::timeout(call.policy.timeout, exchange).await
        else {
            return Reply::of(Settled::NoAnswer);
        };
        if status != StatusCode::OK {
            return Reply {
                retry_after,
                ..Reply::of(refusal(status, &body))
            };
        }
        match call.ask {
            Ask::Timer { .. } | Ask::Manual | Ask::Stop => outcome(&body),
            Ask::History | Ask::Wrong(_) => Reply::of(Settled::Read),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
    ) -> Result<(StatusCode, Option<Duration>, Bytes), ApiError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.authority));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", format!("\"{key}\""));
        }
        let response = self.client.request(request.body(Empty::new())?).await?;
        let status = response.status();
        let seconds = response.headers().get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, seconds.map(Duration::from_secs), body))
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> Settled {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    Settled::Refused {
        status: status.as_u16(),
        code: code.to_owned(),
    }
}

fn outcome(body: &[u8]) -> Reply {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let state = &body["state"];
    match (body["changed"].as_bool(), body["reason"].as_str()) {
        (Some(true), _) => Reply {
            state: Some(Heard {
                is_running: state["mode"] != "wait",
                remaining_ms: state["remaining_ms"].as_i64(),
            }),
            ..Reply::of(Settled::Changed)
        },
        (Some(false), Some(reason)) => Reply::of(Settled::Unchanged(reason.to_owned())),
        // What is no outcome is read, but never what was asked for: the answer counts as a wrong one.
        _ => Reply::of(Settled::Read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_behind_http() {
        for url in ["http://127.0.0.1:8001", "http://box/", "http://[::1]:80"] {
            assert!(Api::new(url).is_ok(), "{url}");
        }
        for url in [
            "https://box",
            "127.0.0.1:8001",
            "http://",
            "http://a/b",
            "http://a b",
        ] {
            let error = Api::new(url).expect_err(url).to_string();
            assert!(error.contains("as in http://127.0.0.1:8001"), "{error}");
        }
    }

    #[test]
    fn an_outcome_is_a_change_with_its_state_or_a_reason() {
        let changed = outcome(br#"{"changed":true,"state":{"mode":"timer","remaining_ms":9000}}"#);
        assert_eq!(changed.settled, Settled::Changed);
        let heard = Heard {
            is_running: true,
            remaining_ms: Some(9000),
        };
        assert_eq!(changed.state, Some(heard));
        let unchanged = outcome(br#"{"changed":false,"reason":"timer_running","state":{}}"#);
        assert_eq!(
            unchanged.settled,
            Settled::Unchanged("timer_running".to_owned())
        );
        assert_eq!(outcome(b"<html>").settled, Settled::Read);
    }

    #[test]
    fn a_refusal_has_the_code_of_the_gateway() {
        let body = br#"{"error":{"code":"invalid_seconds","message":"no"}}"#;
        let refused = Settled::Refused {
            status: 400,
            code: "invalid_seconds".to_owned(),
        };
        assert_eq!(refusal(StatusCode::BAD_REQUEST, body), refused);
    }
}

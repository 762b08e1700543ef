//! The list of systems, written a part at a time: that of very many is not held in memory.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::App;
use crate::command::SystemId;
use crate::config::{System, Systems};
use crate::error::ApiError;
use crate::{engine, query, wire};

/// Systems that are looked at for a part of the answer: the list of very many is not held in memory, and others get
/// their turn in between.
const LISTED_AT_A_TIME: usize = 256;

pub(super) async fn systems(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let running = query::running(query.as_deref())?;
    let list = List::begin(app, running).await?;
    let parts = stream::unfold(Some(list), async |list| {
        let mut list = list?;
        let text = list.part();
        let rest = (!list.is_over()).then_some(list);
        Some((Ok::<_, Infallible>(text), rest))
    });
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, Body::from_stream(parts)).into_response())
}

/// The list of systems, as far as it was written.
struct List {
    app: Arc<App>,
    /// As they were when it was begun.
    all: Arc<Systems>,
    /// Only systems in which water runs, or only those in which none does.
    running: Option<bool>,
    /// The only ones to look at: who asks every few seconds where water runs does not have all the others looked at.
    among: Option<Vec<(SystemId, engine::State)>>,
    looked_at: usize,
    is_empty: bool,
}

impl List {
    async fn begin(app: Arc<App>, running: Option<bool>) -> Result<Self, ApiError> {
        let among = if running == Some(true) {
            let mut found = app.gateway.store().running().await?;
            found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Some(found)
        } else {
            None
        };
        Ok(Self {
            all: app.gateway.systems(),
            app,
            running,
            among,
            looked_at: 0,
            is_empty: true,
        })
    }

    fn is_over(&self) -> bool {
        let all = self.all.iter().len();
        self.looked_at >= self.among.as_ref().map_or(all, Vec::len)
    }

    /// The next systems to look at, each with the newest state that is known of it.
    fn next(&mut self) -> Vec<(&System, engine::State)> {
        let store = self.app.gateway.store();
        let from = self.looked_at;
        self.looked_at += LISTED_AT_A_TIME;
        match &self.among {
            None => {
                let part = self.all.iter().skip(from).take(LISTED_AT_A_TIME);
                part.map(|system| (system, store.known(&system.id)))
                    .collect()
            }
            Some(found) => {
                let part = found.iter().skip(from).take(LISTED_AT_A_TIME);
                part.filter_map(|(id, found)| {
                    // It can have been stopped since it was found, or this gateway has not heard yet that it runs.
                    let known = store.known(id);
                    let newer = if known.seq >= found.seq {
                        known
                    } else {
                        found.clone()
                    };
                    Some((self.all.get(id)?, newer))
                })
                .collect()
            }
        }
    }

    /// The next part, with the bracket before the first and the one after the last. It can be empty.
    fn part(&mut self) -> String {
        let mut text = String::from(if self.looked_at == 0 { "[" } else { "" });
        let (running, mut is_empty) = (self.running, self.is_empty);
        let (now, stale_ms) = (
            self.app.gateway.clock().now(),
            self.app.gateway.store().stale_ms(),
        );
        for (system, state) in self.next() {
            if running.is_some_and(|asked| asked != state.run.is_some()) {
                continue;
            }
            let shown = state.shown(&now);
            let json = serde_json::to_string(&wire::System::new(system, &shown, &now, stale_ms));
            if !is_empty {
                text.push(',');
            }
            is_empty = false;
            text.push_str(&json.unwrap_or_default());
        }
        self.is_empty = is_empty;
        if self.is_over() {
            text.push(']');
        }
        text
    }
}

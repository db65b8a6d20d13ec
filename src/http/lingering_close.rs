//! Lingering close: the rest of a body that a handler leaves unread is read and discarded, within limits.
//!
//! A connection that is closed while received bytes are unread is reset, and a client that is still sending loses the
//! reply with the error.

use axum::extract::Request;
use axum::http::header;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Most bytes that are discarded, and for how long, before the connection is cut.
const MAX_DISCARDED: usize = 8 << 20;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// Wraps a request's body, so that its rest is discarded when the handler drops it.
pub(super) fn guard(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    // `Expect: 100-continue`: such a client sends nothing until the body is polled.
    let awaits_continue = request.headers().get(header::EXPECT).is_some();
    request.map(|body| axum::body::Body::new(LingeringBody { body: Some(body), awaits_continue }))
}

struct LingeringBody {
    /// None once it has ended.
    body: Option<axum::body::Body>,
    awaits_continue: bool,
}

impl Body for LingeringBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.awaits_continue = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for LingeringBody {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream() && !self.awaits_continue) else {
            return;
        };
        // Outside of a runtime there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(DISCARD_WITHIN, async move {
            let mut discarded = 0;
            while discarded < MAX_DISCARDED {
                let Some(Ok(frame)) = body.frame().await else { return };
                discarded += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}

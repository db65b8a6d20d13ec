//! Bodies on their way in, so that whoever is refused before they have sent everything gets to read why.
//!
//! A connection that is closed while something lies unread in it is reset, and a client that still sends loses the
//! reply. So what a handler leaves unread is taken in and thrown away, within limits.

use axum::extract::Request;
use axum::http::header;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How much is taken in and thrown away, and for how long, before the connection is cut after all.
const MOST: usize = 8 << 20;
const WITHIN: Duration = Duration::from_secs(2);

/// Has what is left of a request's body taken in, once nobody wants it any more.
pub(super) fn take_in(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    // Such a client sends nothing before it is told to, which the first look at the body does.
    let waits = request.headers().get(header::EXPECT).is_some();
    request.map(|body| axum::body::Body::new(Inbound { body: Some(body), waits }))
}

struct Inbound {
    /// None once it has ended.
    body: Option<axum::body::Body>,
    waits: bool,
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.waits = false;
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

impl Drop for Inbound {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream() && !self.waits) else { return };
        // Outside of a runtime there is no connection either.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(tokio::time::timeout(WITHIN, async move {
            let mut taken = 0;
            while taken < MOST {
                let Some(Ok(frame)) = body.frame().await else { return };
                taken += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}

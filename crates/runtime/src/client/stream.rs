//! Answers that are read as they come, such as the logs of a container.

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;

use super::transport::{Body, Transport};
use super::{Client, ClientError};

/// The body of an answer. It may stay silent for any time.
pub struct ByteStream {
    transport: Transport,
    body: Body,
}

impl ByteStream {
    /// The next bytes; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|source| self.transport.unreachable(source))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

impl Client {
    /// Gets a path, and returns when the answer begins.
    ///
    /// # Errors
    /// Each answer of 400 and above, and each failure to get one.
    pub async fn stream(&self, path: &str) -> Result<ByteStream, ClientError> {
        let mut request = self.request(Method::GET, path, None, Bytes::new())?;
        request.headers_mut().insert(http::header::ACCEPT, http::HeaderValue::from_static("*/*"));
        let response = self.open(request).await?;
        Ok(ByteStream { transport: self.transport.clone(), body: response.into_body() })
    }
}

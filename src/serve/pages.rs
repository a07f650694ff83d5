//! What is made when somebody asks, and lies in no file.

use std::future::Future;

/// Makes pages; asked before the files are.
pub trait Pages: Send + Sync + 'static {
    /// What is at a path (as the request names it, without its query), or nothing.
    fn page(&self, path: &str) -> impl Future<Output = Option<Page>> + Send;
}

/// No pages but files.
impl Pages for () {
    async fn page(&self, _: &str) -> Option<Page> {
        None
    }
}

/// A page with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Of RFC 9110 section 15; only pages with 200 get an `ETag` and are answered with 304.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// What GET brings.
    pub body: Vec<u8>,
}

//! The nouns of feedmill: plain values without behaviour that touches the world.

mod access;
mod entry;
mod feed;
mod key;
mod post;
mod record;
mod time;
mod topic;

pub use access::{Access, Login, Password, Proxy, Route, Secret};
pub use entry::{Enclosure, Entry};
pub use feed::{Dedup, FeedId, FeedMeta, FeedSource, Revisions, Validators};
pub use key::{CanonicalUrl, EntryKey, hex};
pub use post::{Post, PostPath};
pub use record::{Fingerprint, Found, LedgerPosition, Record};
pub use time::Timestamp;
pub use topic::{FeedSelection, Pattern, Place, Topic, TopicId};

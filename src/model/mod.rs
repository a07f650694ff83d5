//! The nouns of feedmill: plain values without behaviour that touches the world.

mod access;
mod entry;
mod feed;
mod key;
mod post;
mod record;
mod status;
mod time;
mod topic;

pub use access::{Access, Login, Password, Proxy, Route, Secret, SecretUrl};
pub use entry::{Enclosure, Entry};
pub use feed::{Dedup, FeedId, FeedMeta, FeedSource, Publish, Revisions, Validators};
pub use key::{CanonicalUrl, EntryKey, hex};
pub use post::{Post, PostPath};
pub use record::{Fingerprint, Found, LedgerEnd, LedgerPosition, Record};
pub use status::{Alarm, AlarmKind, Condition, FeedStatus, Reason, StatusSummary};
pub use time::Timestamp;
pub use topic::{FeedSelection, Format, Pattern, Place, Topic, TopicId};

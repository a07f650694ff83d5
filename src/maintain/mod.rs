//! Work on an archive that is not polling.

pub mod access;
pub mod discover;
pub mod explain;
pub mod forget;
pub mod heal;
pub mod import;
pub mod ingest;
pub mod init;
pub mod look;
pub mod matches;
pub mod reindex;
pub mod replay;
pub mod state;
pub mod verify;

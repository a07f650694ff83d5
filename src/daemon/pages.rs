//! The pages that the daemon itself makes: health, status, alarms.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Edges, House};
use crate::clock::Clock;
use crate::model::{FeedStatus, Timestamp};
use crate::output::{self, Station};
use crate::pace;
use crate::poll::Poller;
use crate::publish::Publisher;
use crate::serve::{Page, Pages};
use crate::watch;

/// What was found out is believed for so long, however often somebody asks.
const BELIEVED: Duration = Duration::from_secs(2);

/// How things stood at a moment.
#[derive(Clone)]
pub(super) struct Survey {
    at: Instant,
    pub(super) now: Timestamp,
    pub(super) feeds: Arc<Vec<FeedStatus>>,
    station: Arc<Station>,
}

impl<E: Edges> House<E> {
    /// How things stand; while archive and index are closed, how they stood.
    pub(super) async fn survey(&self) -> Option<Survey> {
        // Whoever asks at the same time waits for the same answer.
        let mut known = self.survey.lock().await;
        if known.as_ref().is_some_and(|known| known.at.elapsed() < BELIEVED) {
            return known.clone();
        }
        let poller = self.poller.borrow().clone();
        if let Some(poller) = poller {
            match look(&poller, &self.site).await {
                Ok(survey) => *known = Some(survey),
                Err(error) => tracing::debug!("how things stand cannot be read: {error}"),
            }
        }
        known.clone()
    }

    async fn health(&self) -> Page {
        let survey = self.survey().await;
        let mut trouble: Vec<String> = self.trouble.borrow().iter().cloned().collect();
        trouble.extend(self.outward.unpublished.borrow().iter().cloned());
        let (feeds, now) = survey.map(|survey| (survey.feeds, survey.now)).unwrap_or_default();
        let started = Timestamp::from_millis(
            now.millis().saturating_sub(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)),
        );
        let health = watch::health(&feeds, &trouble, started, now);
        let body = health.to_json() + "\n";
        Page { status: health.code(), content_type: "application/json", body: body.into_bytes() }
    }
}

/// Reads how every feed is.
pub(super) async fn look<F, I, A, C>(
    poller: &Poller<F, I, A, C>,
    site: &crate::site::Site,
) -> Result<Survey, super::DaemonError>
where
    F: crate::fetch::Fetch + 'static,
    I: crate::index::Index,
    A: crate::archive::Archive,
    C: Clock + 'static,
{
    let now = poller.clock.now();
    let feeds = Arc::new(watch::survey(poller).await?);
    let Poller { config, index, archive, .. } = poller;
    let publisher = Publisher { config, index: &**index, archive: &**archive, site };
    let station = Arc::new(publisher.station(now).await?);
    Ok(Survey { at: Instant::now(), now, feeds, station })
}

/// The pages of a house.
pub(super) struct Desk<E: Edges>(pub(super) Arc<House<E>>);

impl<E: Edges> Pages for Desk<E> {
    async fn page(&self, path: &str) -> Option<Page> {
        let (content_type, body) = match path {
            "/health" => return Some(self.0.health().await),
            "/status" => {
                let Survey { feeds, station, .. } = self.0.survey().await?;
                ("text/html; charset=utf-8", output::status_page(&station, &feeds))
            }
            "/alarms.atom" => {
                let Survey { feeds, station, at, now, .. } = self.0.survey().await?;
                (
                    "application/atom+xml; charset=utf-8",
                    output::alarms(&station, &feeds, pace::later(now, at.elapsed())),
                )
            }
            _ => return None,
        };
        Some(Page { status: 200, content_type, body })
    }
}

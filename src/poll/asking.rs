//! The field, started: orders go in, feeds come back.

use tokio::sync::{mpsc, watch};

use super::address::Holds;
use super::field::{Field, Load, Order};
use super::job::{Back, LastAsked};
use super::{Poller, Stop};
use crate::clock::Clock;
use crate::fetch::Fetch;

/// A field that runs as a task of its own. It ends when nobody can give orders any more and all is answered, or when it is
/// told to stop.
#[derive(Debug)]
pub struct Asking<F> {
    orders: Orders<F>,
    backs: mpsc::UnboundedReceiver<Back>,
    load: watch::Receiver<Load>,
}

/// Where orders are given. What was ordered is never waited for.
#[derive(Debug)]
pub struct Orders<F>(mpsc::UnboundedSender<Order<F>>);

impl<F> Orders<F> {
    /// Gives an order; a field that has stopped needs none.
    pub fn send(&self, order: Order<F>) {
        let _ = self.0.send(order);
    }
}

impl<F: Fetch + 'static> Asking<F> {
    /// Starts with what the poller fetches with, and its limits; a former field may have asked some already.
    pub fn begin<I, A, C: Clock + 'static>(poller: &Poller<F, I, A, C>, asked: LastAsked, stop: Stop) -> Self {
        Self::start(poller, Holds::default(), asked, stop)
    }

    pub(super) fn start<I, A, C: Clock + 'static>(
        poller: &Poller<F, I, A, C>,
        holds: Holds,
        asked: LastAsked,
        stop: Stop,
    ) -> Self {
        let field = Field::new(poller.fetch.clone(), poller.clock.clone(), &poller.config.fetch, holds, asked);
        let (load, (orders, given), (sender, backs)) =
            (field.load(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
        tokio::spawn(field.run(given, sender, stop));
        Self { orders: Orders(orders), backs, load }
    }

    /// How busy it is.
    pub fn load(&self) -> watch::Receiver<Load> {
        self.load.clone()
    }

    /// Where orders go in, and where feeds come back.
    pub fn parts(self) -> (Orders<F>, mpsc::UnboundedReceiver<Back>) {
        (self.orders, self.backs)
    }
}

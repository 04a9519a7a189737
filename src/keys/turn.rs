//! One task at a time: a lock whose holder may wait for a database, without an async runtime.
//! Owns who waits. A task that is dropped while it waits or works keeps nobody else from the lock.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The lock.
#[derive(Default)]
pub(super) struct Turn(Mutex<State>);

#[derive(Default)]
struct State {
    taken: bool,
    waiting: Vec<Waker>,
}

/// Gives the lock back when it is dropped.
pub(super) struct Guard<'a>(&'a Turn);

impl Turn {
    /// Takes the lock if nobody has it.
    pub(super) fn try_take(&self) -> Option<Guard<'_>> {
        let taken = std::mem::replace(&mut self.state().taken, true);
        (!taken).then(|| Guard(self))
    }

    /// Waits for the lock.
    pub(super) async fn take(&self) -> Guard<'_> {
        poll_fn(|task| self.poll_take(task)).await
    }

    fn poll_take(&self, task: &Context<'_>) -> Poll<Guard<'_>> {
        let mut state = self.state();
        if !state.taken {
            state.taken = true;
            return Poll::Ready(Guard(self));
        }
        if !state.waiting.iter().any(|one| one.will_wake(task.waker())) {
            state.waiting.push(task.waker().clone());
        }
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.state();
            state.taken = false;
            std::mem::take(&mut state.waiting)
        };
        // All of them: the one that would be chosen may have been dropped.
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_task_at_a_time_has_it_and_each_gets_it() {
        let turn = Arc::new(Turn::default());
        let (inside, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (turn, inside, done) =
                    (Arc::clone(&turn), Arc::clone(&inside), Arc::clone(&done));
                tokio::spawn(async move {
                    let _guard = turn.take().await;
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    done.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(done.load(Ordering::SeqCst), 20);
    }

    #[tokio::test]
    async fn a_task_that_is_dropped_while_it_waits_blocks_nobody() {
        let turn = Turn::default();
        let guard = turn.try_take().unwrap();
        assert!(turn.try_take().is_none());
        {
            let mut given_up = std::pin::pin!(turn.take());
            let mut task = Context::from_waker(Waker::noop());
            assert!(given_up.as_mut().poll(&mut task).is_pending());
        }
        drop(guard);
        let _next = turn.take().await;
    }
}

//! The same work on two threads.

use std::sync::{Mutex, PoisonError};

/// Does the same to each item, with `two` the later half on a second thread: the time is spent in system calls.
pub(super) fn halved<T: Send, R: Send>(mut items: Vec<T>, two: bool, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if !two {
        return items.into_iter().map(work).collect();
    }
    let right = Mutex::new(items.split_off(items.len() / 2));
    let do_right = || {
        let right = std::mem::take(&mut *right.lock().unwrap_or_else(PoisonError::into_inner));
        right.into_iter().map(&work).collect::<Vec<R>>()
    };
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, do_right);
        let mut all: Vec<R> = items.into_iter().map(&work).collect();
        match other.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(rest)) => all.extend(rest),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The system gives no more threads.
            Err(_) => all.extend(do_right()),
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_keep_the_order() {
        for count in 0..5 {
            let items: Vec<i32> = (0..count).collect();
            for two in [false, true] {
                assert_eq!(halved(items.clone(), two, |item| item), items);
            }
        }
    }
}

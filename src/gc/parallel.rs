//! The same work on two threads.

/// Does the same to each item, with `two` the later half on a second thread: the time is spent in system calls.
pub(super) fn halved<T: Send, R: Send>(mut items: Vec<T>, two: bool, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if !two {
        return items.into_iter().map(work).collect();
    }
    let right = items.split_off(items.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| right.into_iter().map(&work).collect::<Vec<R>>());
        let mut all: Vec<R> = items.into_iter().map(&work).collect();
        match other.join() {
            Ok(rest) => all.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
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

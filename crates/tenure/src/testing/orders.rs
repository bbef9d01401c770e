//! Going through all orders in which steps can come.

/// Calls `then` with every order in which actors can take their steps, and says how many there
/// are. `steps` is how many each takes; an order names them by their place there, and no actor
/// changes the order of its own steps.
///
/// Where a scheduler would try some ways in which requests meet, this goes through all. There are
/// `n! / (a! b! …)` for `n` steps in all: 20 for three and three, 1,680 for three times three.
///
/// # Example: two requests that change one key, held before and after the store
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::Arc;
/// use tenure::testing::{Call, Gate, TestKit, Trouble, every_order};
/// use tenure::{Check, Key};
/// use tokio::task::JoinHandle;
///
/// const VISITS: Key<u32> = Key::new("visits");
///
/// let mut orders = Vec::new();
/// every_order(&[3, 3], |order| orders.push(order.to_vec()));
/// assert_eq!(orders.len(), 20);
/// for order in orders {
///     let kit = TestKit::new().await;
///     let cookie = kit.sign_in_as("alice").await;
///     let verdict = kit.sessions.check_cookie([cookie.as_bytes()], &Check::signed_in()).await.unwrap();
///     let alice = Arc::new(verdict.into_active().unwrap());
///     // Each reaches the store, is let in, and gets its answer.
///     let mut requests: [Option<(Option<Gate>, Gate, JoinHandle<_>)>; 2] = [None, None];
///     for who in order {
///         requests[who] = Some(match requests[who].take() {
///             None => {
///                 let (before, after) = (Gate::shut(), Gate::shut());
///                 kit.faults.once(Call::Change, Trouble::Held(before.clone(), after.clone()));
///                 let (sessions, alice) = (kit.sessions.clone(), Arc::clone(&alice));
///                 let add = async move { sessions.update(&alice, VISITS, |visits| *visits += 1).await };
///                 let task = tokio::spawn(add);
///                 before.somebody_waits().await;
///                 (Some(before), after, task)
///             }
///             Some((Some(before), after, task)) => {
///                 before.open();
///                 after.somebody_waits().await;
///                 (None, after, task)
///             }
///             Some((None, after, task)) => {
///                 after.open();
///                 task.await.unwrap().unwrap();
///                 continue;
///             }
///         });
///     }
///     let now = kit.sessions.refresh((*alice).clone()).await.unwrap();
///     assert_eq!(VISITS.read(now.active().unwrap().session()).unwrap(), Some(2));
/// }
/// # }
/// ```
pub fn every_order(steps: &[usize], mut then: impl FnMut(&[usize])) -> usize {
    go(&mut steps.to_vec(), &mut Vec::new(), &mut then)
}

fn go(left: &mut [usize], order: &mut Vec<usize>, then: &mut impl FnMut(&[usize])) -> usize {
    if left.iter().all(|steps| *steps == 0) {
        then(order);
        return 1;
    }
    let mut orders = 0;
    for who in 0..left.len() {
        if left[who] > 0 {
            left[who] -= 1;
            order.push(who);
            orders += go(left, order, then);
            order.pop();
            left[who] += 1;
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_order_comes_once() {
        for steps in [vec![], vec![4], vec![3, 3], vec![3, 3, 3], vec![1, 0, 2, 2]] {
            let mut met = BTreeSet::new();
            let orders = every_order(&steps, |order| {
                assert!(met.insert(order.to_vec()), "{order:?} came twice");
                for (who, count) in steps.iter().enumerate() {
                    assert_eq!(order.iter().filter(|at| **at == who).count(), *count, "{order:?}");
                }
            });
            let factorial = |n: usize| (1..=n).product::<usize>();
            let expected =
                factorial(steps.iter().sum()) / steps.iter().map(|n| factorial(*n)).product::<usize>();
            assert_eq!((orders, met.len()), (expected, expected), "{steps:?}");
        }
    }
}

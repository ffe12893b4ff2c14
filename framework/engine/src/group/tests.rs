//! Groups whose processes are threads of this one.

use super::*;
use std::sync::Barrier;
use std::thread;
use tch::Kind;

/// Does `work` at each place of a group of `size`, on a thread each; the results by rank.
pub(crate) fn together<T: Send>(size: usize, work: impl Fn(Group) -> T + Sync) -> Vec<T> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let join = |rank: usize| {
        let place = Place {
            rank,
            size,
            local_rank: None,
            host: "127.0.0.1".to_owned(),
            port,
            serves: rank == 0,
            restarts: 0,
            from: "a test".to_owned(),
        };
        let group = Group::join(place, Duration::from_secs(60)).unwrap();
        group.connect(Device::Cpu).unwrap();
        work(group)
    };
    thread::scope(|scope| {
        let ranks: Vec<_> = (0..size).map(|rank| scope.spawn(move || join(rank))).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn filled(n: i64, value: f64) -> Tensor {
    Tensor::full([n], value, (Kind::Float, Device::Cpu))
}

#[test]
fn a_rank_that_fails_among_its_sums_is_an_error_of_the_others_at_once() {
    let began = Instant::now();
    let errors = together(2, |group| {
        let done = group.guard(|| {
            let mut sums = group.sums();
            for i in 0..4 {
                if i == 2 && group.rank() == 1 {
                    return Err(Error::runtime("the second node has failed"));
                }
                sums.begin(&mut filled(400_000, 1.0))?;
            }
            sums.finish()
        });
        done.unwrap_err().to_string()
    });
    assert!(errors[0].starts_with("a rank was lost: rank 1: the second node"), "{errors:?}");
    assert_eq!(errors[1], "the second node has failed");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn sums_that_nobody_waits_for_keep_the_memory_of_their_tensors() {
    let (n, begun) = (300_000, Barrier::new(2));
    let found = together(2, |group| {
        if group.rank() == 1 {
            let mut sums = group.sums();
            sums.begin(&mut filled(n, 2.0)).unwrap();
            drop(sums);
            // Would take the place of the first one.
            let others: Vec<Tensor> = (0..8).map(|_| filled(n, 5.0)).collect();
            begun.wait();
            group.sum(&mut [&mut filled(1, 0.0)]).unwrap();
            return others.iter().map(|t| t.mean(Kind::Double).double_value(&[])).sum::<f64>();
        }
        begun.wait();
        let mut own = filled(n, 1.0);
        group.sum(&mut [&mut own]).unwrap();
        group.sum(&mut [&mut filled(1, 0.0)]).unwrap();
        own.mean(Kind::Double).double_value(&[])
    });
    assert_eq!(found, [3.0, 40.0]);
}

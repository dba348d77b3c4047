//! Tasks on threads: a thread pool that survives forks, and calls that can be interrupted.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::Error;

/// How often the interrupt callback is called.
const INTERRUPT_PERIOD: Duration = Duration::from_millis(50);
/// Units of work, of about a pixel each, between two interrupt checks. They take from well under a
/// millisecond to a few milliseconds.
const UNITS_PER_CHECK: usize = 1 << 18;
/// Units of work that are worth a task of their own.
pub(crate) const UNITS_PER_TASK: usize = 1 << 18;

/// How a call runs: on how many threads, and with which interrupt callback.
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    threads: Option<NonZeroUsize>,
    interrupt: &'a dyn Fn() -> bool,
}

impl<'a> Runner<'a> {
    /// Uses at most `threads` threads; `None` uses all cores. `interrupt` is called on the calling thread
    /// about every 50 ms. If it returns true, the call ends with [`Error::Interrupted`].
    pub fn new(threads: Option<NonZeroUsize>, interrupt: &'a dyn Fn() -> bool) -> Self {
        Self { threads, interrupt }
    }

    /// The most threads that can run.
    pub(crate) fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or(cores, |threads| threads.get().min(cores))
    }

    /// Calls the interrupt callback now.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if (self.interrupt)() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Calls `work` once for every task and starts the tasks in order. Each thread has its own scratch, which
    /// is not used again after a failure. If tasks fail, the error is that of the first one in order, as on
    /// one thread.
    ///
    /// The calling thread works too and checks for interrupts. Free workers of the pool help, including
    /// workers that become free during the call, so a call never waits for another call.
    pub(crate) fn run<T: Send, S>(
        &self,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        scratch: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T, &mut Watch<'_>) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let threads = self.threads.map_or(usize::MAX, NonZeroUsize::get).min(tasks.len());
        if threads <= 1 {
            return self.run_here(tasks, scratch, work);
        }
        let pool = Pool::current()?;
        match threads.min(pool.threads) {
            0 | 1 => self.run_here(tasks, scratch, work),
            threads => self.run_on(&pool, threads - 1, tasks, scratch, work),
        }
    }

    fn run_here<T, S>(
        &self,
        tasks: impl Iterator<Item = T>,
        scratch: impl Fn() -> S,
        work: impl Fn(&mut S, T, &mut Watch<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut stop = self.periodic_interrupt();
        let mut watch = Watch::new(&mut stop);
        let mut scratch = scratch();
        for task in tasks {
            work(&mut scratch, task, &mut watch)?;
        }
        Ok(())
    }

    /// Calls the interrupt callback at most once every [`INTERRUPT_PERIOD`].
    fn periodic_interrupt(&self) -> impl FnMut() -> bool {
        let mut last = Instant::now();
        move || {
            let due = last.elapsed() >= INTERRUPT_PERIOD;
            if due {
                last = Instant::now();
            }
            due && (self.interrupt)()
        }
    }

    fn run_on<T: Send, S>(
        &self,
        pool: &Pool,
        most_workers: usize,
        tasks: impl ExactSizeIterator<Item = T> + Send,
        scratch: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, T, &mut Watch<'_>) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let count = tasks.len();
        let queue = Queue::new(tasks);
        let stop = AtomicBool::new(false);
        let work_through = |should_stop: &mut dyn FnMut() -> bool, before_task: &mut dyn FnMut(usize)| {
            let mut watch = Watch::new(should_stop);
            let mut scratch = scratch();
            while let Some((order, task)) = queue.next() {
                before_task(count - 1 - order);
                if let Err(error) = work(&mut scratch, task, &mut watch) {
                    queue.fail(order, error);
                }
            }
        };
        let running = Running::default();
        // `_worker` is dropped before `_started`, so the worker is free when the call ends.
        let job = |_started: Started<'_>, _worker: Worker<'_>| {
            work_through(&mut || stop.load(Ordering::Relaxed), &mut |_| ());
        };
        pool.rayon().in_place_scope(|scope| {
            let mut workers = 0;
            let mut add_workers = |tasks_left: usize| {
                let wanted = most_workers.min(workers + tasks_left);
                while workers < wanted
                    && let Some(worker) = pool.claim()
                {
                    let started = running.start();
                    scope.spawn(|_| job(started, worker));
                    workers += 1;
                }
            };
            let mut interrupted = self.periodic_interrupt();
            let mut should_stop = || {
                if interrupted() {
                    stop.store(true, Ordering::Relaxed);
                }
                stop.load(Ordering::Relaxed)
            };
            work_through(&mut should_stop, &mut add_workers);
            while !running.wait(INTERRUPT_PERIOD) {
                if !stop.load(Ordering::Relaxed) && (self.interrupt)() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        });
        if stop.into_inner() { Err(Error::Interrupted) } else { queue.finish() }
    }
}

/// How many images of `units` work each make a task.
pub(crate) fn images_per_task(units: usize) -> usize {
    UNITS_PER_TASK.div_ceil(units.max(1))
}

/// Checks for interrupts after every `UNITS_PER_CHECK` units of work.
pub struct Watch<'a> {
    units_left: usize,
    stop: &'a mut dyn FnMut() -> bool,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(stop: &'a mut dyn FnMut() -> bool) -> Self {
        Self { units_left: UNITS_PER_CHECK, stop }
    }

    /// Reports `units` of work, about a pixel each. Fails if the call is interrupted.
    #[inline]
    pub(crate) fn worked(&mut self, units: usize) -> Result<(), Error> {
        if units < self.units_left {
            self.units_left -= units;
            return Ok(());
        }
        self.units_left = UNITS_PER_CHECK;
        if (self.stop)() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The remaining tasks, and the error of the first task in order that failed.
struct Queue<I>(Mutex<QueueState<I>>);

struct QueueState<I> {
    tasks: std::iter::Enumerate<I>,
    failure: Option<(usize, Error)>,
}

impl<I: Iterator> Queue<I> {
    fn new(tasks: I) -> Self {
        Self(Mutex::new(QueueState { tasks: tasks.enumerate(), failure: None }))
    }

    /// The next task, or none after a failure. Tasks start in order, so all tasks before the failed one have
    /// started, and each of them runs until it ends or fails.
    fn next(&self) -> Option<(usize, I::Item)> {
        let mut state = lock(&self.0);
        if state.failure.is_some() { None } else { state.tasks.next() }
    }

    fn fail(&self, order: usize, error: Error) {
        let mut state = lock(&self.0);
        if state.failure.as_ref().is_none_or(|(first, _)| order < *first) {
            state.failure = Some((order, error));
        }
    }

    fn finish(self) -> Result<(), Error> {
        let state = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failure.map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// Counts the running workers.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Running {
    fn start(&self) -> Started<'_> {
        *lock(&self.count) += 1;
        Started(self)
    }

    /// Waits until all workers have finished, at most for `time`. Returns whether they have.
    fn wait(&self, time: Duration) -> bool {
        let (count, _) = self
            .changed
            .wait_timeout_while(lock(&self.count), time, |count| *count > 0)
            .unwrap_or_else(PoisonError::into_inner);
        *count == 0
    }
}

/// Guard of a running worker, so that a worker that panics counts as finished.
struct Started<'a>(&'a Running);

impl Drop for Started<'_> {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls of [`forked`] in this process and its ancestors.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Call this in a child process right after a fork: none of the parent's threads exist in it. Without this
/// call, a child is recognized by its process id, which fails if the id equals the parent's in another
/// namespace.
pub fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Identifies a process among those it was forked from.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Process {
    id: u32,
    forks: u64,
}

impl Process {
    fn current() -> Self {
        Self { id: std::process::id(), forks: FORKS.load(Ordering::Relaxed) }
    }
}

/// The threads of this process. A forked child inherits the memory of its parent's pool but none of its
/// threads. Therefore a pool records its process, and nothing here waits for a lock that a lost thread might
/// hold.
struct Pool {
    process: Process,
    threads: usize,
    /// Number of threads that no call has claimed.
    free: AtomicUsize,
    rayon: Option<rayon::ThreadPool>,
}

static POOL: ArcSwapOption<Pool> = ArcSwapOption::const_empty();

impl Pool {
    fn current() -> Result<Arc<Self>, Error> {
        let process = Process::current();
        loop {
            let found = POOL.load_full();
            if let Some(pool) = &found
                && pool.process == process
            {
                return Ok(Arc::clone(pool));
            }
            // If another thread was faster, the next iteration finds its pool, and this pool is dropped.
            POOL.compare_and_swap(&found, Some(Arc::new(Self::start(process)?)));
        }
    }

    fn start(process: Process) -> Result<Self, Error> {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let rayon = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("reggan-{number}"))
            .build()
            .map_err(|error| Error::Threads(error.to_string()))?;
        Ok(Self { process, threads, free: threads.into(), rayon: Some(rayon) })
    }

    /// Claims a thread that no other call uses, if there is one.
    fn claim(&self) -> Option<Worker<'_>> {
        let one_less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).ok().map(|_| Worker(self))
    }

    fn rayon(&self) -> &rayon::ThreadPool {
        self.rayon.as_ref().expect("the pool is only taken on drop")
    }
}

/// The right to run one job on the pool. There are no more jobs than threads, so each job starts without
/// waiting for other work. It is dropped at the end of the job, just before the thread returns to the pool.
struct Worker<'a>(&'a Pool);

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Shutting down a pool wakes its threads. In a forked child this would wait forever for the parent's
        // locks.
        if self.process != Process::current() {
            std::mem::forget(self.rayon.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn runner(threads: usize) -> Runner<'static> {
        Runner::new(NonZeroUsize::new(threads), &|| false)
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 9] {
            let mut done = vec![0; 1000];
            let work = |_: &mut (), (value, slot): (usize, &mut usize), _: &mut Watch<'_>| {
                *slot += value;
                Ok(())
            };
            let tasks: Vec<_> = done.iter_mut().enumerate().collect();
            runner(threads).run(tasks.into_iter(), || (), work).unwrap();
            assert!(done.into_iter().eq(0..1000));
        }
    }

    #[test]
    fn the_first_failure_in_order_is_reported() {
        for threads in [1, 2, 9] {
            for _ in 0..50 {
                let work = |_: &mut (), task: usize, _: &mut Watch<'_>| {
                    if task == 7 {
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    if task % 10 >= 7 { Err(Error::NotANumber { image: task }) } else { Ok(()) }
                };
                let result = runner(threads).run(0..1000, || (), work);
                assert_eq!(result, Err(Error::NotANumber { image: 7 }));
            }
        }
    }

    #[test]
    fn no_task_starts_after_a_failure() {
        for threads in [1, 2] {
            let started = AtomicUsize::new(0);
            let work = |_: &mut (), task: usize, _: &mut Watch<'_>| {
                started.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
                if task == 0 { Err(Error::NotANumber { image: 0 }) } else { Ok(()) }
            };
            assert!(runner(threads).run(0..1000, || (), work).is_err());
            assert!(started.into_inner() < 1000);
        }
    }

    #[test]
    fn an_interrupt_stops_every_thread() {
        for threads in [1, 2] {
            let started = Instant::now();
            let interrupt = || started.elapsed() > Duration::from_millis(10);
            let endless = |_: &mut (), _: usize, watch: &mut Watch<'_>| {
                loop {
                    watch.worked(1)?;
                }
            };
            let result = Runner::new(NonZeroUsize::new(threads), &interrupt).run(0..4, || (), endless);
            assert_eq!(result, Err(Error::Interrupted));
        }
    }

    /// Runs `call` while another call holds all workers of a pool. `release` ends that other call.
    fn while_workers_are_held(call: impl FnOnce(&Pool, &(dyn Fn() + Sync))) {
        let pool = Pool::start(Process::current()).unwrap();
        let tasks = pool.threads + 1;
        let (started, released) = (Barrier::new(tasks + 1), Barrier::new(tasks + 1));
        let hold = |_: &mut (), _: usize, _: &mut Watch<'_>| {
            started.wait();
            released.wait();
            Ok(())
        };
        thread::scope(|scope| {
            let holder = scope.spawn(|| runner(tasks).run_on(&pool, pool.threads, 0..tasks, || (), hold));
            started.wait();
            call(&pool, &|| {
                released.wait();
            });
            assert_eq!(holder.join().unwrap(), Ok(()));
        });
        assert_eq!(pool.free.load(Ordering::Relaxed), pool.threads);
    }

    #[test]
    fn a_call_does_not_wait_for_the_workers_of_another() {
        while_workers_are_held(|pool, release| {
            let (start, done) = (Instant::now(), AtomicUsize::new(0));
            let hangs = || start.elapsed() > Duration::from_secs(30);
            let work = |_: &mut (), _: usize, _: &mut Watch<'_>| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            let result = Runner::new(None, &hangs).run_on(pool, pool.threads, 0..100, || (), work);
            release();
            assert_eq!((result, done.into_inner()), (Ok(()), 100));
        });
    }

    #[test]
    fn a_call_is_helped_by_workers_that_become_free() {
        while_workers_are_held(|pool, release| {
            let (start, caller) = (Instant::now(), thread::current().id());
            let hangs = || start.elapsed() > Duration::from_secs(30);
            let helped = AtomicBool::new(false);
            let work = |_: &mut (), task: usize, watch: &mut Watch<'_>| {
                if thread::current().id() != caller {
                    helped.store(true, Ordering::Relaxed);
                } else if task == 0 {
                    release();
                    while pool.free.load(Ordering::Relaxed) == 0 {
                        thread::yield_now();
                    }
                }
                while task > 0 && !helped.load(Ordering::Relaxed) {
                    watch.worked(UNITS_PER_CHECK)?;
                    thread::yield_now();
                }
                Ok(())
            };
            let result = Runner::new(None, &hangs).run_on(pool, pool.threads, 0..3, || (), work);
            assert_eq!(result, Ok(()));
        });
    }

    #[test]
    fn workers_are_free_after_a_panic() {
        let pool = Pool::start(Process::current()).unwrap();
        let met = Barrier::new(2);
        let work = |_: &mut (), _: usize, _: &mut Watch<'_>| {
            met.wait();
            panic!("expected by this test");
        };
        let call = || runner(2).run_on(&pool, 1, 0..2, || (), work);
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
        assert_eq!(pool.free.load(Ordering::Relaxed), pool.threads);
    }

    #[test]
    fn a_forked_process_starts_its_own_pool() {
        let before = Pool::current().unwrap();
        assert!(Arc::ptr_eq(&before, &Pool::current().unwrap()) || before.process != Process::current());
        forked();
        assert!(!Arc::ptr_eq(&before, &Pool::current().unwrap()));
        assert_eq!(runner(2).run(0..9, || (), |_: &mut (), _, _: &mut Watch<'_>| Ok(())), Ok(()));
    }

    #[test]
    fn interrupts_are_checked_by_units_of_work() {
        let mut checks = 0;
        let mut stop = || {
            checks += 1;
            checks == 3
        };
        let mut watch = Watch::new(&mut stop);
        let mut units = 0;
        while watch.worked(1000).is_ok() {
            units += 1000;
        }
        assert!(units > 2 * UNITS_PER_CHECK && units < 3 * UNITS_PER_CHECK + 3000);
    }
}

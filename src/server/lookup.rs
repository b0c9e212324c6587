//! The questions of one cycle: each is asked once, many at a time; issues are asked about together, by workspace.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use uuid::Uuid;

use super::client::{Client, RequestFailure};
use super::memory::Memory;
use super::parent::{Parent, ParentKind, Question};
use super::{Connection, address, gc_check};

/// How many issues the server takes in one request; their ids are 20 kB of its limit of 64 KiB.
const CHUNK: usize = 500;

/// The server's answers of one cycle.
pub struct Lookup {
    client: Client,
    jobs: usize,
    memory: Memory,
    batch_route: BatchRoute,
    /// Why no further request is sent.
    ended: Option<String>,
}

/// Whether the server has the route for many issues at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchRoute {
    Untried,
    There,
    Missing,
}

/// One request to the server, and the questions that it answers.
enum Request<'a> {
    Single(&'a Question),
    Batch(Vec<&'a Question>),
}

impl Lookup {
    /// A new cycle with at most `jobs` connections. Nothing is sent yet.
    pub fn new(connection: Connection, jobs: usize) -> Lookup {
        let jobs = jobs.max(1);
        Lookup {
            client: Client::new(connection, jobs),
            jobs,
            memory: Memory::new(),
            batch_route: BatchRoute::Untried,
            ended: None,
        }
    }

    /// Asks the questions that have not been asked in this cycle and waits for the answers. Once `stop` is set, no
    /// further request is sent.
    pub fn ask(&mut self, questions: &[Question], stop: &AtomicBool) {
        let fresh: Vec<&Question> =
            questions.iter().filter(|question| self.is_to_be_asked(question)).collect();
        let (issues, others): (Vec<_>, Vec<_>) =
            fresh.iter().partition(|question| question.kind == ParentKind::Issue);
        let mut chunks = chunks(issues);
        let mut without_route = Vec::new();
        if self.batch_route == BatchRoute::Untried && !chunks.is_empty() {
            // Sent alone: whether the route exists is found out once, not by every connection at the same time.
            without_route = self.send(&[chunks.remove(0)], stop);
        }
        if self.batch_route == BatchRoute::Missing {
            without_route.extend(chunks.drain(..).flat_map(Request::into_questions));
        }
        let mut requests = chunks;
        requests.extend(without_route.drain(..).chain(others).map(Request::Single));
        without_route = self.send(&requests, stop);
        // Only where the server lost the route in between, or one workspace's requests go to another server.
        self.send(&without_route.into_iter().map(Request::Single).collect::<Vec<_>>(), stop);
        if let Some(why) = &self.ended {
            for question in fresh {
                if !self.memory.has(question) {
                    self.memory.keep(question, Parent::Unknown { why: format!("not asked, because {why}") });
                }
            }
        }
    }

    /// What the server said; [`Parent::Unknown`] if it was not asked.
    pub fn answer(&self, question: &Question) -> &Parent {
        self.memory.parent(question)
    }

    /// How many requests have been sent.
    pub fn requests(&self) -> u64 {
        self.client.sent()
    }

    /// Why no further request is sent in this cycle; `None` while the server answers. Safe to print.
    pub fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    fn is_to_be_asked(&mut self, question: &Question) -> bool {
        self.memory.note(question)
    }

    /// Sends all requests, and returns the issues for which the server has no batch route.
    fn send<'a>(&mut self, requests: &[Request<'a>], stop: &AtomicBool) -> Vec<&'a Question> {
        if requests.is_empty() {
            return Vec::new();
        }
        let queue = RequestQueue {
            requests,
            client: &self.client,
            memory: Mutex::new(&mut self.memory),
            ended: Mutex::new(&mut self.ended),
            without_route: Mutex::new(Vec::new()),
            next: AtomicUsize::new(0),
            stop,
        };
        std::thread::scope(|scope| {
            for _ in 1..self.jobs.min(requests.len()) {
                // Where the system gives no more threads, those that there are do it all.
                if std::thread::Builder::new().spawn_scoped(scope, || queue.work()).is_err() {
                    break;
                }
            }
            queue.work();
        });
        let without_route = queue.without_route.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !without_route.is_empty() {
            self.batch_route = BatchRoute::Missing;
        } else if self.batch_route == BatchRoute::Untried && self.ended.is_none() {
            let was_tried = requests.iter().any(|request| matches!(request, Request::Batch(_)));
            self.batch_route = if was_tried { BatchRoute::There } else { BatchRoute::Untried };
        }
        without_route
    }
}

impl<'a> Request<'a> {
    fn into_questions(self) -> Vec<&'a Question> {
        match self {
            Request::Single(question) => vec![question],
            Request::Batch(questions) => questions,
        }
    }
}

/// Issues by workspace, in the order in which they were first seen.
fn chunks<'a>(issues: Vec<&'a Question>) -> Vec<Request<'a>> {
    let mut order: Vec<Uuid> = Vec::new();
    let mut by_workspace: std::collections::HashMap<Uuid, Vec<&'a Question>> = Default::default();
    for issue in issues {
        let questions = by_workspace.entry(issue.workspace).or_insert_with(|| {
            order.push(issue.workspace);
            Vec::new()
        });
        questions.push(issue);
    }
    let all = order.into_iter().filter_map(|workspace| by_workspace.remove(&workspace));
    all.flat_map(|questions| {
        questions.chunks(CHUNK).map(|chunk| Request::Batch(chunk.to_vec())).collect::<Vec<_>>()
    })
    .collect()
}

/// The requests that the connections share out among themselves.
struct RequestQueue<'d, 'a> {
    requests: &'d [Request<'a>],
    client: &'d Client,
    memory: Mutex<&'d mut Memory>,
    ended: Mutex<&'d mut Option<String>>,
    /// Issues for which the server has no batch route.
    without_route: Mutex<Vec<&'a Question>>,
    next: AtomicUsize,
    stop: &'d AtomicBool,
}

impl<'a> RequestQueue<'_, 'a> {
    /// Sends requests until none is left.
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) && lock(&self.ended).is_none() {
            let Some(request) = self.requests.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            match request {
                Request::Single(question) => self.ask_one(question),
                Request::Batch(questions) => self.ask_many(questions),
            }
        }
    }

    fn ask_one(&self, question: &Question) {
        let parent =
            self.client.send(&address::single_path(question), None).and_then(|reply| match reply.status {
                404 => Ok(gc_check::not_found(question.kind, &reply)),
                400.. => Err(self.client.refusal(&reply)),
                _ => gc_check::single(question.kind, &reply.body).map_err(|why| self.unreadable(&why)),
            });
        let parent = parent.unwrap_or_else(|failure| self.unknown(failure));
        lock(&self.memory).keep(question, parent);
    }

    fn ask_many(&self, questions: &[&'a Question]) {
        let Some(first) = questions.first() else { return };
        let ids: Vec<_> = questions.iter().map(|question| question.id.to_string()).collect();
        let body = json!({ "issue_ids": ids }).to_string();
        let parents =
            self.client.send(&address::batch_path(first.workspace), Some(&body)).and_then(|reply| {
                if gc_check::has_no_route(&reply) {
                    return Ok(None);
                }
                if reply.status >= 400 {
                    return Err(self.client.refusal(&reply));
                }
                gc_check::batch(&reply.body).map(Some).map_err(|why| self.unreadable(&why))
            });
        match parents {
            Ok(None) => lock(&self.without_route).extend(questions),
            Ok(Some(mut parents)) => {
                for question in questions {
                    let parent =
                        parents.remove(&question.id).unwrap_or(Err("the answer leaves out this id".into()));
                    let parent = parent.unwrap_or_else(|why| self.unknown(self.unreadable(&why)));
                    lock(&self.memory).keep(question, parent);
                }
            }
            // Not asked one by one: five hundred more requests do not help a server in trouble.
            Err(failure) => {
                let parent = self.unknown(failure);
                for question in questions {
                    lock(&self.memory).keep(question, parent.clone());
                }
            }
        }
    }

    fn unreadable(&self, why: &str) -> RequestFailure {
        RequestFailure { why: self.client.excerpt(why), ends_cycle: false }
    }

    fn unknown(&self, failure: RequestFailure) -> Parent {
        if failure.ends_cycle {
            lock(&self.ended).get_or_insert_with(|| failure.why.clone());
        }
        Parent::Unknown { why: failure.why }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

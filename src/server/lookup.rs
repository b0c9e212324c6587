//! One cycle's questions: each once, many at a time, issues together by workspace.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use super::client::{Client, Trouble};
use super::memory::Memory;
use super::{Connection, Parent, ParentKind, Question, address, gc_check};

/// As many as the server takes in one request; their ids are 20 kB of its limit of 64 KiB.
const CHUNK: usize = 500;

/// What one cycle has asked and learned.
pub struct Lookup {
    client: Client,
    jobs: usize,
    memory: Memory,
    batch_route: BatchRoute,
    /// Why no more is asked.
    ended: Option<String>,
}

/// Whether the server has the route for many issues at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BatchRoute {
    Untried,
    There,
    Missing,
}

/// One request and the questions that it answers.
enum Errand<'a> {
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

    /// Asks what has not been asked in this cycle and waits for the answers. Once `stop` is set, no further request
    /// goes out.
    pub fn ask(&mut self, questions: &[Question], stop: &AtomicBool) {
        let fresh: Vec<&Question> =
            questions.iter().filter(|question| self.is_to_be_asked(question)).collect();
        let (issues, others): (Vec<_>, Vec<_>) =
            fresh.iter().partition(|question| question.kind == ParentKind::Issue);
        let mut chunks = chunks(issues);
        let mut homeless = Vec::new();
        if self.batch_route == BatchRoute::Untried && !chunks.is_empty() {
            // Alone: whether the route is there is asked once, not by every connection at the same time.
            homeless = self.run(&[chunks.remove(0)], stop);
        }
        if self.batch_route == BatchRoute::Missing {
            homeless.extend(chunks.drain(..).flat_map(Errand::into_questions));
        }
        let mut errands = chunks;
        errands.extend(homeless.drain(..).chain(others).map(Errand::Single));
        homeless = self.run(&errands, stop);
        // Only where the server lost the route in between, or one workspace's requests go to another server.
        self.run(&homeless.into_iter().map(Errand::Single).collect::<Vec<_>>(), stop);
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

    /// Why no further question goes out in this cycle, if that is so: for one warning. Safe to print.
    pub fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    fn is_to_be_asked(&mut self, question: &Question) -> bool {
        let is_new = self.memory.note(question);
        let is_possible = question.kind != ParentKind::Issue || address::is_segment(&question.workspace);
        if is_new && !is_possible {
            let why = "the folder's name is none that a workspace can have".to_owned();
            self.memory.keep(question, Parent::Unknown { why });
        }
        is_new && is_possible
    }

    /// Does all errands, and hands back the issues of those that found no batch route.
    fn run<'a>(&mut self, errands: &[Errand<'a>], stop: &AtomicBool) -> Vec<&'a Question> {
        if errands.is_empty() {
            return Vec::new();
        }
        let desk = Desk {
            client: &self.client,
            memory: Mutex::new(&mut self.memory),
            ended: Mutex::new(&mut self.ended),
            homeless: Mutex::new(Vec::new()),
            next: AtomicUsize::new(0),
            stop,
        };
        std::thread::scope(|scope| {
            for _ in 1..self.jobs.min(errands.len()) {
                // Where the system gives no more threads, those that there are do it all.
                if std::thread::Builder::new().spawn_scoped(scope, || desk.work(errands)).is_err() {
                    break;
                }
            }
            desk.work(errands);
        });
        let homeless = desk.homeless.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !homeless.is_empty() {
            self.batch_route = BatchRoute::Missing;
        } else if self.batch_route == BatchRoute::Untried && self.ended.is_none() {
            let was_tried = errands.iter().any(|errand| matches!(errand, Errand::Batch(_)));
            self.batch_route = if was_tried { BatchRoute::There } else { BatchRoute::Untried };
        }
        homeless
    }
}

impl<'a> Errand<'a> {
    fn into_questions(self) -> Vec<&'a Question> {
        match self {
            Errand::Single(question) => vec![question],
            Errand::Batch(questions) => questions,
        }
    }
}

/// Issues by workspace, in the order in which they were first seen.
fn chunks<'a>(issues: Vec<&'a Question>) -> Vec<Errand<'a>> {
    let mut order: Vec<&str> = Vec::new();
    let mut by_workspace: std::collections::HashMap<&str, Vec<&'a Question>> = Default::default();
    for issue in issues {
        by_workspace.entry(&issue.workspace).or_insert_with(|| {
            order.push(&issue.workspace);
            Vec::new()
        });
        if let Some(questions) = by_workspace.get_mut(issue.workspace.as_str()) {
            questions.push(issue);
        }
    }
    let all = order.into_iter().filter_map(|workspace| by_workspace.remove(workspace));
    all.flat_map(|questions| {
        questions.chunks(CHUNK).map(|chunk| Errand::Batch(chunk.to_vec())).collect::<Vec<_>>()
    })
    .collect()
}

/// What the connections share while errands are done.
struct Desk<'d, 'a> {
    client: &'d Client,
    memory: Mutex<&'d mut Memory>,
    ended: Mutex<&'d mut Option<String>>,
    homeless: Mutex<Vec<&'a Question>>,
    next: AtomicUsize,
    stop: &'d AtomicBool,
}

impl<'a> Desk<'_, 'a> {
    fn work(&self, errands: &[Errand<'a>]) {
        while !self.stop.load(Ordering::Relaxed) && lock(&self.ended).is_none() {
            let Some(errand) = errands.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            match errand {
                Errand::Single(question) => self.ask_one(question),
                Errand::Batch(questions) => self.ask_many(questions),
            }
        }
    }

    fn ask_one(&self, question: &Question) {
        let learned =
            self.client.ask(&address::single_path(question), None).and_then(|answer| match answer.status {
                404 => Ok(gc_check::not_found(question.kind, &answer)),
                400.. => Err(self.client.refusal(&answer)),
                _ => gc_check::single(question.kind, &answer.body).map_err(|why| self.nonsense(&why)),
            });
        let parent = learned.unwrap_or_else(|trouble| self.unknown(trouble));
        lock(&self.memory).keep(question, parent);
    }

    fn ask_many(&self, questions: &[&'a Question]) {
        let Some(first) = questions.first() else { return };
        let ids: Vec<_> = questions.iter().map(|question| question.id.to_string()).collect();
        let body = json!({ "issue_ids": ids }).to_string();
        let learned =
            self.client.ask(&address::batch_path(&first.workspace), Some(&body)).and_then(|answer| {
                if gc_check::has_no_route(&answer) {
                    return Ok(None);
                }
                if answer.status >= 400 {
                    return Err(self.client.refusal(&answer));
                }
                gc_check::batch(&answer.body).map(Some).map_err(|why| self.nonsense(&why))
            });
        match learned {
            Ok(None) => lock(&self.homeless).extend(questions),
            Ok(Some(mut parents)) => {
                for question in questions {
                    let parent =
                        parents.remove(&question.id).unwrap_or(Err("the answer leaves it out".into()));
                    let parent = parent.unwrap_or_else(|why| self.unknown(self.nonsense(&why)));
                    lock(&self.memory).keep(question, parent);
                }
            }
            // No request for each of them: a server in trouble is not helped by five hundred more.
            Err(trouble) => {
                let parent = self.unknown(trouble);
                for question in questions {
                    lock(&self.memory).keep(question, parent.clone());
                }
            }
        }
    }

    fn nonsense(&self, why: &str) -> Trouble {
        Trouble { why: self.client.excerpt(why), ends_cycle: false }
    }

    fn unknown(&self, trouble: Trouble) -> Parent {
        if trouble.ends_cycle {
            lock(&self.ended).get_or_insert_with(|| trouble.why.clone());
        }
        Parent::Unknown { why: trouble.why }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The bounded client over a service that answers when a test says so.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::*;

type Answer = oneshot::Sender<Response<Body>>;

/// A server whose requests wait for a test's answer.
#[derive(Clone)]
struct Server(UnboundedSender<Answer>);

impl Service<Request<Body>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).unwrap();
        async { Ok(answered.await.unwrap()) }.boxed()
    }
}

fn bounded(most: usize) -> (Client, Arc<Flight>, UnboundedReceiver<Answer>) {
    let (sender, arrived) = unbounded_channel();
    let (client, flight) = Flight::bound(&Client::new(Server(sender), "default"), most, Metrics::default());
    (client, flight, arrived)
}

fn answer(status: u16, retry_after: Option<&str>) -> Response<Body> {
    let answer = Response::builder().status(status);
    let answer = retry_after.iter().fold(answer, |answer, after| answer.header(RETRY_AFTER, *after));
    answer.body(Body::empty()).unwrap()
}

fn get() -> Request<Body> {
    Request::get("/").body(Body::empty()).unwrap()
}

fn of(namespace: &str) -> Request<Body> {
    let path = format!("/api/v1/namespaces/{namespace}/secrets/db");
    Request::get(path).body(Body::empty()).unwrap()
}

/// Lets all tasks go on until they wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test]
async fn no_more_are_in_flight_than_may_be_and_each_has_its_answer() {
    let (client, flight, mut arrived) = bounded(6);
    let most = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.send(get()).await.unwrap().status() })
        })
        .collect();
    let seen = most.clone();
    let server = tokio::spawn(async move {
        let mut waiting = Vec::new();
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            while let Ok(answer) = arrived.try_recv() {
                waiting.push(answer);
            }
            seen.fetch_max(waiting.len(), Ordering::Relaxed);
            waiting.drain(..).for_each(|one: Answer| one.send(answer(200, None)).unwrap());
        }
    });
    for task in tasks {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    server.abort();
    let most = most.load(Ordering::Relaxed);
    assert!((LEAST..=6).contains(&most), "{most}");
    assert_eq!(flight.state().limit.in_flight(), 0);
    flight.is_idle().await;
}

#[tokio::test]
async fn a_request_that_is_given_up_gives_its_place_back() {
    let (client, flight, mut arrived) = bounded(8);
    for _ in 0..20 {
        let waiting = client.clone();
        let given_up = tokio::spawn(async move { waiting.send(get()).await.map(drop) });
        let _answer = arrived.recv().await.unwrap();
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
    }
    settle().await;
    assert_eq!(flight.state().limit.in_flight(), 0);
    assert_eq!(flight.places.available_permits(), flight.state().places);
}

/// A webhook of one namespace would otherwise hold up all of them.
#[tokio::test]
async fn a_webhook_that_answers_like_a_busy_server_pauses_nobody() {
    let (client, flight, mut arrived) = bounded(8);
    let refused = tokio::spawn({
        let client = client.clone();
        async move { client.send(get()).await.unwrap() }
    });
    let says = serde_json::json!({"kind": "Status", "code": 429, "message": "admission webhook \"a.b.c\" denied the request: busy"});
    let (parts, _) = answer(429, Some("10")).into_parts();
    let of_a_webhook = Response::from_parts(parts, Body::from(says.to_string().into_bytes()));
    arrived.recv().await.unwrap().send(of_a_webhook).unwrap();
    let body = refused.await.unwrap().into_body().collect_bytes().await.unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap(), says, "its caller reads it");
    assert_eq!(flight.state().limit.pause(Instant::now()), None);
    tokio::spawn(async move { client.send(get()).await.map(drop) });
    arrived.recv().await.unwrap();
}

#[tokio::test]
async fn while_the_server_has_its_pause_nothing_starts() {
    let (client, flight, mut arrived) = bounded(8);
    let busy = tokio::spawn({
        let client = client.clone();
        async move { client.send(get()).await.unwrap().status() }
    });
    arrived.recv().await.unwrap().send(answer(429, Some("1"))).unwrap();
    assert_eq!(busy.await.unwrap(), StatusCode::TOO_MANY_REQUESTS, "its caller decides what to do");
    let paused = Instant::now();
    let next = tokio::spawn(async move { client.send(get()).await.unwrap().status() });
    arrived.recv().await.unwrap().send(answer(200, None)).unwrap();
    assert!(paused.elapsed() > Duration::from_millis(900));
    assert_eq!(next.await.unwrap(), StatusCode::OK);
    flight.is_idle().await;
}

#[tokio::test]
async fn a_few_more_objects_are_in_hand_than_may_have_a_request_in_flight_and_then_a_few_that_changed() {
    let (_client, flight, _arrived) = bounded(8);
    let usual = flight.state().places + MORE;
    let room = |in_hand: usize, changed: usize| flight.has_room(in_hand, changed);
    assert_eq!([room(0, 0), room(usual - 1, 0)], [Some(Urgency::Again); 2]);
    assert_eq!([room(usual, 0), room(usual + 1, 1)], [Some(Urgency::Changed); 2]);
    assert_eq!(room(usual + URGENT, URGENT), None);
    // Objects that change all the time leave the others their turn whenever a look ends.
    assert_eq!(room(usual + URGENT - 1, usual + URGENT - 1), Some(Urgency::Again));
}

#[tokio::test]
async fn an_urgent_request_waits_for_no_place_behind_others_and_gives_its_own_back() {
    let (client, flight, mut arrived) = bounded(8);
    let send = |is_urgent: bool| {
        let client = client.clone();
        tokio::spawn(urgently(is_urgent, async move { client.send(get()).await.unwrap().status() }))
    };
    // While it is measured how long requests take, nobody passes anybody.
    let measured: Vec<_> = (0..10).map(|n| send(n % 2 == 0)).collect();
    let mut few = Vec::new();
    for _ in 0..LEAST {
        few.push(arrived.recv().await.unwrap());
    }
    settle().await;
    assert!(arrived.try_recv().is_err());
    few.drain(..).for_each(|it| it.send(answer(200, None)).unwrap());
    for _ in LEAST..10 {
        arrived.recv().await.unwrap().send(answer(200, None)).unwrap();
    }
    for task in measured {
        task.await.unwrap();
    }
    assert!(!flight.state().limit.is_measuring(Instant::now()));

    let usual: Vec<_> = (0..20).map(|_| send(false)).collect();
    let mut in_flight = Vec::new();
    for _ in 0..LEAST {
        in_flight.push(arrived.recv().await.unwrap());
    }
    settle().await;
    assert!(arrived.try_recv().is_err(), "the others wait for a place");
    for _ in 0..3 {
        let urgent = [(); URGENT].map(|()| send(true));
        for _ in 0..URGENT {
            arrived.recv().await.unwrap().send(answer(200, None)).unwrap();
        }
        for urgent in urgent {
            assert_eq!(urgent.await.unwrap(), StatusCode::OK);
        }
    }
    let server = tokio::spawn(async move {
        in_flight.drain(..).for_each(|it| it.send(answer(200, None)).unwrap());
        while let Some(it) = arrived.recv().await {
            it.send(answer(200, None)).unwrap();
        }
    });
    for task in usual {
        assert_eq!(task.await.unwrap(), StatusCode::OK);
    }
    server.abort();
    assert_eq!(flight.urgent.available_permits(), URGENT);
    assert_eq!(flight.places.available_permits(), flight.state().places);
}

#[tokio::test]
async fn it_is_idle_only_while_nothing_is_in_flight() {
    let (client, flight, mut arrived) = bounded(8);
    let task = tokio::spawn(async move { client.send(get()).await.map(drop) });
    let in_flight = arrived.recv().await.unwrap();
    assert!(timeout(4 * IDLE, flight.is_idle()).await.is_err());
    in_flight.send(answer(200, None)).unwrap();
    task.await.unwrap().unwrap();
    flight.is_idle().await;
}

/// What a caller tells from an error must survive.
#[tokio::test]
async fn an_error_comes_through_as_it_is() {
    #[derive(Clone)]
    struct Gone;
    impl Service<Request<Body>> for Gone {
        type Response = Response<Body>;
        type Error = seal_kubeconfig::RouteError;
        type Future = BoxFuture<'static, Result<Response<Body>, Self::Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            async { Err(seal_kubeconfig::RouteError::SystemRoots) }.boxed()
        }
    }
    let (client, flight) = Flight::bound(&Client::new(Gone, "default"), 8, Metrics::default());
    let Err(kube::Error::Service(error)) = client.send(get()).await else { panic!("another error") };
    assert!(error.is::<seal_kubeconfig::RouteError>());
    assert_eq!(flight.state().limit.in_flight(), 0);
}

/// As behind an admission webhook that hangs.
#[tokio::test]
async fn requests_of_a_namespace_that_are_late_hold_up_no_other_namespace() {
    let (client, flight, mut arrived) = bounded(8);
    let send = |namespace: &str| {
        let (client, request) = (client.clone(), of(namespace));
        tokio::spawn(async move { client.send(request).await.unwrap().status() })
    };
    let usual = flight.state().places + MORE;
    let mut hang = Vec::new();
    let mut tasks: Vec<_> = (0..LEAST).map(|_| send("hangs")).collect();
    for _ in 0..LEAST {
        hang.push(arrived.recv().await.unwrap());
    }
    flight.more_room().await;
    settle().await;
    assert_eq!(flight.has_room(usual + LEAST - 1, 0), Some(Urgency::Again));
    assert_eq!(flight.state().limit.in_flight(), 0);
    flight.is_idle().await;
    // The next ones of this namespace take no place either.
    for _ in 0..20 {
        tasks.push(send("hangs"));
        hang.push(arrived.recv().await.unwrap());
    }
    assert_eq!(flight.state().limit.in_flight(), 0);
    let other = send("other");
    let answers = arrived.recv().await.unwrap();
    assert_eq!(flight.state().limit.in_flight(), 1);
    answers.send(answer(200, None)).unwrap();
    assert_eq!(other.await.unwrap(), StatusCode::OK);

    hang.into_iter().for_each(|late| late.send(answer(500, None)).unwrap());
    for task in tasks {
        assert_eq!(task.await.unwrap(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert!(flight.state().late.is_empty() && flight.state().aside == 0);
    let _task = send("hangs");
    let _answer = arrived.recv().await.unwrap();
    assert_eq!(flight.state().limit.in_flight(), 1, "it has a place again");
}

#[tokio::test]
async fn a_late_request_that_is_given_up_leaves_nothing_behind() {
    let (client, flight, mut arrived) = bounded(8);
    let late = tokio::spawn(async move { client.send(of("hangs")).await.map(drop) });
    let _answer = arrived.recv().await.unwrap();
    flight.more_room().await;
    late.abort();
    assert!(late.await.unwrap_err().is_cancelled());
    assert!(flight.state().late.is_empty() && flight.state().aside == 0);
    assert_eq!(flight.places.available_permits(), flight.state().places);
}

//! What clients may take, and what happens to those that take more.

use super::*;

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let mut bytes = vec![0; 1 << 16];
    for _ in 0..3 {
        stream.write_all(b"GET /tencent/atom.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut read = 0;
        while !bytes[..read].ends_with(b"<feed/>") {
            let n = stream.read(&mut bytes[read..]).await.unwrap();
            if n == 0 {
                break;
            }
            read += n;
        }
        assert_eq!(Answer::read(&bytes[..read]).status, 200);
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let house = House::new().await;
    let answer = house.get("/", &format!("X: {}\r\n", "a".repeat(HEAD_SIZE + 1))).await;
    assert_eq!(answer.status, 431);
    let answer = house.get("/", &"X: a\r\n".repeat(200)).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let house = House::with(Limits { head: Duration::from_millis(200), ..LIMITS }).await;
    let mut stream = house.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let dripping = async {
        // Each line comes in time; all of them do not.
        while stream.write_all(b"X: a\r\n").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMITS.head / 2, dripping).await.expect("an end");
}

#[tokio::test]
async fn idle_and_stuck_connections_are_closed() {
    let short = Duration::from_millis(100);
    let house = House::with(Limits { idle: short, head: short, ..LIMITS }).await;
    house.file("big.xml", vec![b'x'; 20 << 20]);
    let mut idle = house.connect().await;
    let mut stuck = house.connect().await;
    stuck.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    timeout(LIMITS.idle / 2, idle.read_to_end(&mut bytes)).await.expect("an end").unwrap();
    assert!(bytes.is_empty());
    // It took nothing while the other waited; what the system had buffered is all it gets.
    sleep(Duration::from_millis(500)).await;
    let _ = timeout(LIMITS.idle / 2, stuck.read_to_end(&mut bytes)).await.expect("an end");
    assert!(bytes.len() < 20 << 20);
}

#[tokio::test]
async fn a_reader_that_takes_too_little_is_closed() {
    let short = Duration::from_millis(300);
    let house = House::with(Limits { idle: short, head: short, ..LIMITS }).await;
    house.file("big.xml", vec![b'x'; 20 << 20]);
    let mut stream = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut bytes = vec![0; 200];
    for _ in 0..300 {
        stream.read_exact(&mut bytes).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    // What its system had taken, and no more.
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(bytes.len() < 20 << 20);
}

#[tokio::test(start_paused = true)]
async fn the_least_that_a_reader_takes_is_counted_over_a_minute() {
    let guests = Arc::new(Guests::new(LIMITS.rooms));
    let place = guests.welcome("127.0.0.1".parse().unwrap()).await.unwrap();
    // Seconds between two lumps, their size in KiB, whether that is enough.
    for (pause, size, is_enough) in [(1, 2, true), (50, 100, true), (1, 100, true), (1, 0, false), (10, 9, false)] {
        place.guest.enter(Phase::Answered);
        let reads = async {
            for _ in 0..1000 / pause {
                sleep(Duration::from_secs(pause)).await;
                place.guest.takes(size << 10);
            }
        };
        let stayed = tokio::select! {
            () = reads => true,
            phase = overdue(&place.guest, LIMITS) => phase != Phase::Answered,
        };
        assert_eq!(stayed, is_enough, "{size} KiB every {pause} s");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_take_the_place_of_the_one_that_waits_longest() {
    let house = House::with(Limits { rooms: Rooms { all: 2, ..LIMITS.rooms }, ..LIMITS }).await;
    let mut first = house.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let mut second = house.connect().await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(house.get("/", "").await.status, 200);
    let mut bytes = Vec::new();
    let _ = timeout(LIMITS.idle / 2, first.read_to_end(&mut bytes)).await.expect("an end");
    assert!(bytes.is_empty());
    second.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    second.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(Answer::read(&bytes).status, 200);
}

#[tokio::test]
async fn a_stop_lets_answers_finish_and_no_more_begin() {
    let mut house = House::new().await;
    let text = vec![b'x'; 20 << 20];
    house.file("big.xml", &text);
    let mut stream = house.connect().await;
    let _idle = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut bytes = vec![0; 1 << 10];
    stream.read_exact(&mut bytes).await.unwrap();
    house.stop.take().unwrap().send(()).unwrap();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(Answer::read(&bytes).body == text);
    house.server.await.unwrap();
    assert!(TcpStream::connect(house.at).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut house = House::with(Limits { stop: Duration::from_millis(100), ..LIMITS }).await;
    house.file("big.xml", vec![b'x'; 20 << 20]);
    let mut stream = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    house.stop.take().unwrap().send(()).unwrap();
    timeout(LIMITS.stop / 2, house.server).await.expect("an end").unwrap();
}

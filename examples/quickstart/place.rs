//! Which Kafka, and what the topic and the group are called there.

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use retrial::Kafka;
use std::{
    error::Error,
    time::{SystemTime, UNIX_EPOCH},
};

const PARTITIONS: i32 = 3;

#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) kafka: Kafka,
    pub(crate) topic: String,
    pub(crate) group: String,
    is_embedded: bool,
}

impl Place {
    /// A broker in this process, which ends with it.
    pub(crate) fn embedded() -> Result<Self, Box<dyn Error>> {
        let kafka = Kafka::embedded()?;
        kafka.create_embedded_topic("orders", PARTITIONS)?;
        Ok(Self { kafka, topic: "orders".to_owned(), group: "quickstart".to_owned(), is_embedded: true })
    }

    /// Somebody's Kafka: names that nobody has, and a source topic, which retrial itself never makes.
    pub(crate) async fn real(server: &str) -> Result<Self, Box<dyn Error>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let group = format!("quickstart-{now}-{}", std::process::id());
        let place =
            Self { kafka: Kafka::bootstrap(server), topic: format!("{group}-orders"), group, is_embedded: false };
        let admin: AdminClient<DefaultClientContext> = place.client().create()?;
        let wanted = NewTopic::new(&place.topic, PARTITIONS, TopicReplication::Fixed(-1));
        let limit = Some(std::time::Duration::from_secs(10));
        let options = AdminOptions::new().request_timeout(limit).operation_timeout(limit);
        let silent = |error| format!("{server} did not make topic {}: {error}", place.topic);
        for made in admin.create_topics([&wanted], &options).await.map_err(silent)? {
            made.map_err(|(topic, why)| format!("{server} did not make topic {topic}: {why}"))?;
        }
        Ok(place)
    }

    /// What a client needs that has nothing to do with retrial.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.kafka.address());
        config
    }

    pub(crate) fn description(&self) -> String {
        let address = self.kafka.address();
        if self.is_embedded {
            format!("the Kafka in this process, {address}")
        } else {
            format!("the Kafka at {address}")
        }
    }

    /// What stays behind on a real Kafka.
    pub(crate) fn say_goodbye(&self) {
        if !self.is_embedded {
            println!("Its topics are there for you to look at; all their names begin with {}.", self.group);
        }
    }
}

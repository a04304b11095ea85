// SPDX-License-Identifier: Apache-2.0
// Prints what a topic holds, by Kafka's own client: a line for each message, its key ("-" if none) and its value in base64.
// java -cp JARS ReadTopic.java BROKER TOPIC [PROPERTIES_FILE]
import java.io.FileReader;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class ReadTopic {
    public static void main(String[] args) throws Exception {
        Properties properties = new Properties();
        if (args.length > 2) {
            properties.load(new FileReader(args[2]));
        }
        properties.put("bootstrap.servers", args[0]);
        var decode = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<>(properties, decode, decode)) {
            List<TopicPartition> partitions = consumer.partitionsFor(args[1]).stream()
                    .map(each -> new TopicPartition(each.topic(), each.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                for (var message : consumer.poll(Duration.ofMillis(500))) {
                    System.out.println((message.key() == null ? "-" : base64(message.key())) + " " + base64(message.value()));
                }
            }
        }
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }
}

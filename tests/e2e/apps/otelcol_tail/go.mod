module sonde/tests/otelcol_tail

go 1.25

require (
  github.com/open-telemetry/opentelemetry-collector-contrib/exporter/loadbalancingexporter v0.144.0
  github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor v0.144.0
  go.opentelemetry.io/collector/component v1.50.0
  go.opentelemetry.io/collector/confmap v1.50.0
  go.opentelemetry.io/collector/confmap/provider/fileprovider v1.50.0
  go.opentelemetry.io/collector/exporter v1.50.0
  go.opentelemetry.io/collector/exporter/otlphttpexporter v0.144.0
  go.opentelemetry.io/collector/otelcol v0.144.0
  go.opentelemetry.io/collector/processor v1.50.0
  go.opentelemetry.io/collector/receiver v1.50.0
  go.opentelemetry.io/collector/receiver/otlpreceiver v0.144.0
  go.opentelemetry.io/collector/service v0.144.0
)

module sonde/tests/otelcol_demo

go 1.25

require (
  github.com/open-telemetry/opentelemetry-collector-contrib/connector/servicegraphconnector v0.144.0
  github.com/open-telemetry/opentelemetry-collector-contrib/connector/spanmetricsconnector v0.144.0
  github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter v0.144.0
  go.opentelemetry.io/collector/component v1.50.0
  go.opentelemetry.io/collector/confmap v1.50.0
  go.opentelemetry.io/collector/confmap/provider/fileprovider v1.50.0
  go.opentelemetry.io/collector/connector v0.144.0
  go.opentelemetry.io/collector/exporter v1.50.0
  go.opentelemetry.io/collector/exporter/otlpexporter v0.144.0
  go.opentelemetry.io/collector/otelcol v0.144.0
  go.opentelemetry.io/collector/processor v1.50.0
  go.opentelemetry.io/collector/processor/batchprocessor v0.144.0
  go.opentelemetry.io/collector/receiver v1.50.0
  go.opentelemetry.io/collector/receiver/otlpreceiver v0.144.0
  go.opentelemetry.io/collector/service v0.144.0
)

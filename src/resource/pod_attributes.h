// SPDX-License-Identifier: Apache-2.0
// What a pod adds to a resource: k8s.*, and service.* as OpenTelemetry's conventions for Kubernetes
// derive them (semantic-conventions, non-normative/k8s-attributes).
#pragma once

#include <string>

#include "resource/owned_resource.h"
#include "sonde/config/config.h"
#include "sonde/pipeline/workload.h"

namespace sonde::resource {

// k8s.*, container.image.*, every annotation resource.opentelemetry.io/KEY as KEY, service.version
// and service.namespace; what is set already stays.
void AddPod(const PodFacts& pod, const KubernetesAttributes& wanted, ResourceBuilder& builder);

// service.name: annotation, label app.kubernetes.io/instance, then app.kubernetes.io/name (if
// labels count), name of the workload, of the pod, of the container.
std::string PodServiceName(const PodFacts& pod, const KubernetesAttributes& wanted);

// service.instance.id: annotation, NAMESPACE.POD.CONTAINER. "" if the container is not known.
std::string PodInstanceId(const PodFacts& pod);

}  // namespace sonde::resource

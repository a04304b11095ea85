// SPDX-License-Identifier: Apache-2.0

// Reads Kubernetes objects from standard input as strictly as an API server with fieldValidation=Strict: an unknown kind, an
// unknown or doubled field or a wrong type is an error. Prints each object's kind and name. Custom resources are named and not
// read further.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

var custom = map[string]bool{"monitoring.coreos.com/v1": true, "security.openshift.io/v1": true}

func main() {
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	documents := yamlutil.NewYAMLReader(bufio.NewReader(os.Stdin))
	failed := false
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal(text, &head); err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
			continue
		}
		if !custom[head.APIVersion] {
			if _, _, err := strict.Decode(text, nil, nil); err != nil {
				fmt.Fprintf(os.Stderr, "%s %s: %v\n", head.Kind, head.Metadata.Name, err)
				failed = true
				continue
			}
		}
		fmt.Println(head.Kind, head.Metadata.Name)
	}
	if failed {
		os.Exit(1)
	}
}

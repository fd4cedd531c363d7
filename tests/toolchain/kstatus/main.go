// Prints what Flux would think of a Kubernetes object: reads one object as
// JSON from stdin, writes its kstatus status (Current, InProgress, Failed, ...)
// on the first line of stdout and the message on the rest.
//
// It is not a reimplementation of the rules: every verdict is
// status.Compute's, whose word decides whether Flux waits, goes on or gives up.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("kstatus: ")
	var object unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&object); err != nil {
		log.Fatal(err)
	}
	result, err := status.Compute(&object)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", result.Status, result.Message)
}

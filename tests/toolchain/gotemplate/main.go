// Renders Go templates as the peer's controller does: reads cases as JSON from
// stdin, one on a line, and writes what came of each as JSON, one on a line. With
// the argument "functions" it prints the names of sprig's functions instead.
//
// Not the peer itself, which needs a cluster for each: the same engine, the
// same functions without the same three, and a map of the same type. toYaml,
// which the peer lacks, is Helm's.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
)

type request struct {
	Template string            `json:"template"`
	Data     map[string][]byte `json:"data"`
}

type result struct {
	Output []byte `json:"output"`
	Error  string `json:"error,omitempty"`
}

func render(text string, values map[string][]byte) ([]byte, error) {
	functions := sprig.GenericFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	delete(functions, "getHostByName")
	functions["toYaml"] = func(value any) string {
		out, err := yaml.Marshal(value)
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(out), "\n")
	}
	data := make(map[string]string)
	for key, value := range values {
		data[key] = string(value)
	}
	parsed, err := template.New("key").Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, data)
	return out.Bytes(), err
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("gotemplate: ")
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	if len(os.Args) > 1 && os.Args[1] == "functions" {
		for name := range sprig.GenericFuncMap() {
			fmt.Fprintln(out, name)
		}
		return
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	encoder := json.NewEncoder(out)
	for in.More() {
		var request request
		if err := in.Decode(&request); err != nil {
			log.Fatal(err)
		}
		output, err := render(request.Template, request.Data)
		result := result{Output: output}
		if err != nil {
			result.Error = err.Error()
		}
		if err := encoder.Encode(result); err != nil {
			log.Fatal(err)
		}
	}
}

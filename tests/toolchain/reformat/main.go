// Writes YAML files anew, as the tools of Kubernetes do that edit files in a repository:
//
//	reformat kustomize FILE…   kustomize's library, which keeps comments and order (kustomize edit, kpt, Flux' image updates)
//	reformat kyaml FILE…       KYAML (kubectl -o kyaml): flow style, every string quoted
//
// Each FILE is replaced. A file that the library refuses is left as it is and named on standard output.
package main

import (
	"bytes"
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/yaml/kyaml"
)

func kustomize(in []byte) ([]byte, error) {
	nodes, err := (&kio.ByteReader{
		Reader:                bytes.NewReader(in),
		OmitReaderAnnotations: true,
		DisableUnwrapping:     true,
	}).Read()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = kio.ByteWriter{Writer: &out}.Write(nodes)
	return out.Bytes(), err
}

func flow(in []byte) ([]byte, error) {
	var out bytes.Buffer
	err := (&kyaml.Encoder{}).FromYAML(bytes.NewReader(in), &out)
	return out.Bytes(), err
}

func main() {
	styles := map[string]func([]byte) ([]byte, error){"kustomize": kustomize, "kyaml": flow}
	if len(os.Args) < 2 || styles[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: reformat kustomize|kyaml FILE...")
		os.Exit(2)
	}
	for _, path := range os.Args[2:] {
		in, err := os.ReadFile(path)
		if err == nil {
			var out []byte
			if out, err = styles[os.Args[1]](in); err != nil {
				fmt.Println(path)
				continue
			}
			err = os.WriteFile(path, out, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

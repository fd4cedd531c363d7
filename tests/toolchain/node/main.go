// The program of every Pod of the tests but the controller's: prints the files
// that its arguments name, then waits for a signal. Without arguments it is what
// Kubernetes calls the pause container, which holds a Pod's network.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	for _, path := range os.Args[1:] {
		content, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s\n", content)
	}
	<-end
}

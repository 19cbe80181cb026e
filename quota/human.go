package quota

import "strconv"

// HumanBytes writes a size with one decimal in binary units, as refusals and commands tell it: 10.0 GiB.
func HumanBytes(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), -1
	// 1023.95 and more would be written as 1024.0.
	for value >= 1023.95 && unit < len("KMGTPE")-1 {
		value, unit = value/1024, unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + "KMGTPE"[unit:unit+1] + "iB"
}

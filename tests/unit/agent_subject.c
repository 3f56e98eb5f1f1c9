/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data for check_agent.py, with types and symbols for GDB. Never run. */
#include <stdbool.h>
#include <stdint.h>

struct node {
	int a;
	short b;
	unsigned char c;
	struct node *next;
	char text[16];
	unsigned f : 3;
	int g : 5;
	uint64_t h : 33;
};
union both {
	int32_t s;
	uint32_t u;
	uint8_t byte[4];
};
enum colour { RED, GREEN = 7, BLUE = -1 };

struct node second = { -7, -300, 200, 0, "two", 5, -3, 0x1ffffffff };
struct node first = { 1, 2, 3, &second, "one", 1, 2, 4 };
struct node *head = &first;
union both both = { .u = 0x80000001 };
int arr[5] = { 1, -2, 3, -4, 5 };
short grid[2][3] = { { 1, 2, 3 }, { -1, -2, -3 } };
int which = 3;
uint64_t big = 0xfedcba9876543210;
int64_t neg = -5, lowest = INT64_MIN;
int32_t lowest32 = INT32_MIN;
uint32_t high32 = 0x80000000;
enum colour colour = GREEN;
unsigned char uc = 250;
signed char sc = -6;
bool yes = true;
char *str = "hi there";

int main(void)
{
	return arr[0];
}
